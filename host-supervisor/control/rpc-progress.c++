#include "control/rpc-progress.h"

#include "control/translation.h"

namespace bothy {

RpcProgress::RpcProgress(rpc::Progress::Client client) : client(kj::mv(client)), sent(*this) {}

void RpcProgress::stage(Stage stage, kj::Duration elapsed, size_t before) {
  newest = Told{stage, elapsed, before};
  if (untaken < MOST_UNTAKEN) tellNewest();
}

void RpcProgress::tellNewest() {
  KJ_IF_MAYBE (told, newest) {
    auto request = client.stageRequest();
    request.setStage(toRpc(told->stage));
    request.setElapsedMillis(told->elapsed / kj::MILLISECONDS);
    request.setBefore(told->before);
    newest = nullptr;
    untaken++;
    sent.add(request.send().then([this]() {
      untaken--;
      tellNewest();
    }));
  }
}

}  // namespace bothy
