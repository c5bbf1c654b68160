#include "terminal/terminals-facet.h"

#include "terminal/terminal-facet.h"

namespace bothy {

namespace {

class TerminalsFacet final: public rpc::Terminals::Server {
public:
  explicit TerminalsFacet(TerminalRegistry& registry) : registry(registry) {}

  kj::Promise<void> open(OpenContext context) override {
    auto params = context.getParams();
    auto outcome = co_await registry.open(params.getCommand(), WindowSize::read(params.getSize()),
                                          params.getTerm());
    auto results = context.initResults();
    KJ_SWITCH_ONEOF(outcome) {
      KJ_CASE_ONEOF(failure, StartFailure) {
        failure.writeTo(results.initOutcome().initFailed());
      }
      KJ_CASE_ONEOF(terminal, kj::Own<Terminal>) {
        results.initOutcome().setOpened();
        results.setId(terminal->id);
        results.setTerminal(newTerminalFacet(registry.timer(), kj::mv(terminal)));
      }
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
      results.setTerminal(newTerminalFacet(registry.timer(), kj::mv(*terminal)));
    } else {
      results.initOutcome().setAbsent();
    }
    return kj::READY_NOW;
  }

private:
  TerminalRegistry& registry;
};

}  // namespace

rpc::Terminals::Client newTerminalsFacet(TerminalRegistry& registry) {
  return kj::heap<TerminalsFacet>(registry);
}

}  // namespace bothy
