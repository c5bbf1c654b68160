#include "terminal/terminals-facet.h"

#include <kj/debug.h>

#include "schema/limits.capnp.h"
#include "terminal/terminal-facet.h"

namespace bothy {

namespace {

class TerminalsFacet final
    : public TerminalServer<rpc::Terminals, 1 /*list*/, 2 /*get*/, 3 /*view*/> {
public:
  TerminalsFacet(TerminalRegistry& registry, TerminalRights rights, kj::Own<ClientActions> actions)
      : TerminalServer(rights), registry(registry), actions(kj::mv(actions)) {}

  kj::Promise<void> open(OpenContext context) override {
    const bool isRepeatable = context.getParams().getRequestId().size() > 0;
    return isRepeatable ? openRepeatable(context) : openNew(context);
  }

  kj::Promise<void> openNew(OpenContext context) {
    auto params = context.getParams();
    auto outcome = co_await registry.open(params.getCommand(), WindowSize::read(params.getSize()),
                                          params.getTerm(), *actions);
    auto results = context.initResults();
    KJ_SWITCH_ONEOF(outcome) {
      KJ_CASE_ONEOF(failure, StartFailure) {
        failure.writeTo(results.initOutcome().initFailed());
      }
      KJ_CASE_ONEOF(terminal, kj::Own<Terminal>) {
        tellOpened(kj::mv(terminal), results);
      }
    }
  }

  kj::Promise<void> openRepeatable(OpenContext context) {
    auto params = context.getParams();
    auto requestId = params.getRequestId();
    KJ_REQUIRE(requestId.size() <= rpc::MAX_REQUEST_ID_BYTES, "request id too long");
    auto result =
        co_await registry.openOnce(requestId, params.getCommand(),
                                   WindowSize::read(params.getSize()), params.getTerm(), *actions);
    auto results = context.initResults();
    KJ_IF_MAYBE (failure, result->outcome.tryGet<StartFailure>()) {
      failure->writeTo(results.initOutcome().initFailed());
      co_return;
    }
    KJ_IF_MAYBE (terminal, registry.find(result->outcome.get<uint64_t>())) {
      tellOpened(kj::mv(*terminal), results);
    } else {
      results.initOutcome().setGone();
    }
  }

  kj::Promise<void> list(ListContext context) override {
    auto terminals = registry.list();
    auto builder = context.initResults().initTerminals(terminals.size());
    for (size_t i = 0; i < terminals.size(); i++) writeInfo(*terminals[i], builder[i]);
    return kj::READY_NOW;
  }

  kj::Promise<void> get(GetContext context) override {
    auto results = context.initResults();
    KJ_IF_MAYBE (terminal, registry.find(context.getParams().getId())) {
      results.initOutcome().setFound();
      results.setTerminal(newFacet(kj::mv(*terminal)));
    } else {
      results.initOutcome().setAbsent();
    }
    return kj::READY_NOW;
  }

  kj::Promise<void> view(ViewContext context) override {
    context.initResults().setTerminals(
        kj::heap<TerminalsFacet>(registry, TerminalRights::VIEW, actions->addRef()));
    return kj::READY_NOW;
  }

private:
  TerminalRegistry& registry;
  kj::Own<ClientActions> actions;

  rpc::Terminal::Client newFacet(kj::Own<Terminal> terminal) {
    return newTerminalFacet(registry.timer(), kj::mv(terminal), rights, actions->addRef());
  }
  void tellOpened(kj::Own<Terminal> terminal, rpc::Terminals::OpenResults::Builder results) {
    results.initOutcome().setOpened();
    results.setId(terminal->id);
    results.setTerminal(newFacet(kj::mv(terminal)));
  }
};

}  // namespace

kj::Own<rpc::Terminals::Server> newTerminalsFacet(TerminalRegistry& registry,
                                                  kj::Own<ClientActions> actions) {
  return kj::heap<TerminalsFacet>(registry, TerminalRights::ALL, kj::mv(actions));
}

}  // namespace bothy
