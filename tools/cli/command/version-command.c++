#include "command/command.h"
#include "console/failure.h"
#include "console/json-text.h"
#include "schema/limits.capnp.h"
#include "wire/escape.h"

namespace bothy {
namespace {

constexpr kj::StringPtr HELP = R"(Usage: bothy version

Shows the versions of this program and of bothyd, and what bothyd runs machines with.
With --json: {"client":{...},"server":{...}}.
)"_kj;

kj::Promise<int> run(Context& context, const Command& self, Arguments given) {
  OptionParser parser(self.name);
  addCommonOptions(context, parser);
  auto arguments = parser.parse(given);
  if (arguments.help) {
    context.console.print(self.help);
    co_return SUCCESS;
  }
  if (arguments.operands.size() > 0) parser.fail("version takes no names");

  if (!context.console.wantsJson()) {
    context.console.print(
        kj::str("client       ", BOTHY_VERSION, ", protocol generation ", rpc::GENERATION, "\n"));
  }
  auto link = context.connector.connect();
  auto server = co_await link->supervisor().versionRequest().send();
  if (context.console.wantsJson()) {
    context.console.print(kj::str(
        "{\"client\":{\"generation\":", rpc::GENERATION, ",\"version\":", jsonString(BOTHY_VERSION),
        "},\"server\":", toJson(capnp::ReaderFor<rpc::Supervisor::VersionResults>(server)), "}\n"));
    co_return SUCCESS;
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
  co_return SUCCESS;
}

}  // namespace

Command versionCommand() {
  return {"version", "versions, and what bothyd runs machines with", HELP, run, FAILURE, false};
}

}  // namespace bothy
