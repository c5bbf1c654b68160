#include "control/rpc-progress.h"

#include "control/translation.h"

namespace bothy {

RpcProgress::RpcProgress(rpc::Progress::Client client, bool tellsSetup)
    : client(kj::mv(client)), tellsSetup(tellsSetup), sent(*this) {}

void RpcProgress::stage(Stage stage, kj::Duration elapsed, size_t before) {
  tell(Told{stage, elapsed, before});
}

void RpcProgress::setUp(const SetupStage& setup, kj::Duration elapsed) {
  Told::Setup told{setup.step, setup.steps, nullptr, nullptr};
  if (tellsSetup) {
    told.name = kj::str(setup.name);
    told.line = kj::str(setup.line);
  }
  tell(Told{Stage::SETTING_UP, elapsed, 0, kj::mv(told)});
}

void RpcProgress::tell(Told told) {
  newest = kj::mv(told);
  if (untaken < MOST_UNTAKEN) tellNewest();
}

void RpcProgress::tellNewest() {
  KJ_IF_MAYBE (told, newest) {
    auto request = client.stageRequest();
    request.setStage(toRpc(told->stage));
    request.setElapsedMillis(told->elapsed / kj::MILLISECONDS);
    request.setBefore(told->before);
    KJ_IF_MAYBE (setup, told->setup) {
      auto step = request.initSetup();
      step.setStep(setup->step);
      step.setSteps(setup->steps);
      step.setName(setup->name);
      step.setLine(setup->line);
    }
    newest = nullptr;
    untaken++;
    sent.add(request.send().then([this]() {
      untaken--;
      tellNewest();
    }));
  }
}

}  // namespace bothy
