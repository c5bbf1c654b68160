#include "command/command.h"
#include "console/failure.h"
#include "console/json-text.h"
#include "console/quantity.h"
#include "console/table.h"
#include "result/cli.capnp.h"
#include "supervisor/repeated-question.h"

namespace bothy {
namespace {

constexpr kj::StringPtr TEXT =
    R"(Shows the tiers of this host: what a workspace has that `bothy create --tier TIER` makes.  They are settings
of bothyd.)"_kj;

constexpr kj::StringPtr ACTIONS[] = {"ls"_kj};

class TierCommand final: public Command {
public:
  TierCommand() : Command({"tier", "show the tiers of workspaces", FAILURE, false}) {}

  void declare(Usage& usage) override {
    usage.form("ls");
    usage.describe(TEXT, "With --json: Tiers of cli.capnp.");
    usage.operand({"ACTION", Value::Kind::WORDS, ACTIONS}, action);
  }

  kj::Promise<int> run(Context& context, Usage& usage) override {
    if (action != ACTIONS[0]) usage.fail(kj::str("there is no action ", action, ", only ls"));
    co_await askUntilAnswered(context.timer, [&context] { return list(context); });
    co_return SUCCESS;
  }

private:
  kj::StringPtr action;

  static kj::Promise<void> list(Context& context);
};

kj::Promise<void> TierCommand::list(Context& context) {
  auto link = context.connector.connect();
  auto response = co_await link->supervisor().tiersRequest().send();
  auto tiers = response.getTiers();
  if (context.console.wantsJson()) {
    context.console.print(jsonLine<result::Tiers>([&](auto result) { result.setTiers(tiers); }));
    co_return;
  }
  const kj::StringPtr headings[] = {"TIER", "CPUS", "MEMORY", "DISK", "SESSIONS"};
  Table table(headings);
  for (auto tier : tiers) {
    const kj::String cells[] = {kj::str(tier.getName()), kj::str(tier.getCpus()),
                                formatBytes(uint64_t{tier.getMemoryMib()} << 20),
                                formatBytes(uint64_t{tier.getDiskMib()} << 20),
                                kj::str(tier.getSessions())};
    table.add(cells);
  }
  context.console.print(table.render());
}

}  // namespace

kj::Own<Command> tierCommand() {
  return kj::heap<TierCommand>();
}

}  // namespace bothy
