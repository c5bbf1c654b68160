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
    R"(Shows what this host's machines and disks take, and the most that they may.  What runs, is paused or starts counts with
its memory and its processors, and each workspace with the whole size of its disk.  What does not fit is not made, not started
and not resized; memory-overcommit, cpu-overcommit, disk-overcommit and disk-reserve are settings of bothyd.)"_kj;

kj::String sizeOf(uint64_t mebibytes) {
  return formatBytes(mebibytes << 20);
}

class CapacityCommand final: public Command {
public:
  CapacityCommand()
      : Command({"capacity", "show what the host has left for workspaces", FAILURE, false}) {}

  void declare(Usage& usage) override {
    usage.form("");
    usage.describe(TEXT, "With --json: HostCapacity of cli.capnp.");
  }

  kj::Promise<int> run(Context& context, Usage& usage) override {
    co_await askUntilAnswered(context.timer, [&context] { return show(context); });
    co_return SUCCESS;
  }

private:
  static kj::Promise<void> show(Context& context);
};

kj::Promise<void> CapacityCommand::show(Context& context) {
  auto link = context.connector.connect();
  auto response = co_await link->supervisor().capacityRequest().send();
  auto capacity = response.getCapacity();
  if (context.console.wantsJson()) {
    context.console.print(
        jsonLine<result::HostCapacity>([&](auto result) { result.setCapacity(capacity); }));
    co_return;
  }
  auto left = [](uint64_t most, uint64_t used) { return most > used ? most - used : 0; };
  auto memory = capacity.getMemory();
  auto cpus = capacity.getCpus();
  auto disk = capacity.getDisk();
  const kj::StringPtr headings[] = {"WHAT", "USED", "FREE", "MOST"};
  Table table(headings);
  table.add(kj::arr(kj::str("memory"), sizeOf(memory.getUsedMib()),
                    sizeOf(left(memory.getMostMib(), memory.getUsedMib())),
                    sizeOf(memory.getMostMib())));
  table.add(kj::arr(kj::str("processors"), kj::str(cpus.getUsed()),
                    kj::str(left(cpus.getMost(), cpus.getUsed())), kj::str(cpus.getMost())));
  const bool isLimited = disk.getMostMib() > 0;
  table.add(
      kj::arr(kj::str("disks"), sizeOf(disk.getPromisedMib()),
              isLimited ? sizeOf(left(disk.getMostMib(), disk.getPromisedMib())) : kj::str("-"),
              isLimited ? sizeOf(disk.getMostMib()) : kj::str("no limit")));
  context.console.print(kj::str(table.render(), "The host's disk has ", sizeOf(disk.getFreeMib()),
                                " free, of which ", sizeOf(disk.getKeptMib()), " stay free.\n"));
}

}  // namespace

kj::Own<Command> capacityCommand() {
  return kj::heap<CapacityCommand>();
}

}  // namespace bothy
