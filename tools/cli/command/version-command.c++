#include "command/command.h"
#include "console/failure.h"
#include "console/json-text.h"
#include "result/cli.capnp.h"
#include "schema/limits.capnp.h"
#include "supervisor/repeated-question.h"
#include "wire/escape.h"

namespace bothy {
namespace {

class VersionCommand final: public Command {
public:
  VersionCommand()
      : Command({"version", "versions, and what bothyd runs machines with", FAILURE, false}) {}

  void declare(Usage& usage) override {
    usage.form("");
    usage.describe(
        "Shows the versions of this program and of bothyd, and what bothyd runs machines with.",
        "With --json: {\"client\":{...},\"server\":{...}}.");
  }

  kj::Promise<int> run(Context& context, Usage& usage) override;

private:
  static kj::Promise<void> showServer(Context& context);
};

kj::Promise<int> VersionCommand::run(Context& context, Usage& usage) {
  if (!context.console.wantsJson()) {
    context.console.print(
        kj::str("client       ", BOTHY_VERSION, ", protocol generation ", rpc::GENERATION, "\n"));
  }
  co_await askUntilAnswered(context.timer, [&context] { return showServer(context); });
  co_return SUCCESS;
}

kj::Promise<void> VersionCommand::showServer(Context& context) {
  auto link = context.connector.connect();
  auto server = co_await link->supervisor().versionRequest().send();
  if (context.console.wantsJson()) {
    context.console.print(jsonLine<result::Versions>([&](auto result) {
      auto client = result.initClient();
      client.setVersion(BOTHY_VERSION);
      client.setGeneration(rpc::GENERATION);
      auto told = result.initServer();
      told.setVersion(server.getVersion());
      told.setGeneration(server.getGeneration());
      told.setAccelerator(server.getAccelerator());
      told.setVsock(server.getVsock());
    }));
    co_return;
  }
  auto accelerator = escapeGuestText(server.getAccelerator().asArray());
  context.console.print(
      kj::str("server       ", escapeGuestText(server.getVersion().asArray()),
              ", protocol generation ", server.getGeneration(), "\naccelerator  ", accelerator,
              accelerator == "tcg"
                  ? ": the processor is emulated, slower, and QEMU promises no isolation of "
                    "guests from the host under TCG: for trusted guests only"
                  : "",
              "\nvsock        ", escapeGuestText(server.getVsock().asArray()), "\n"));
}

}  // namespace

kj::Own<Command> versionCommand() {
  return kj::heap<VersionCommand>();
}

}  // namespace bothy
