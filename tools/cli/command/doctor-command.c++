#include <kj/vector.h>

#include "command/command.h"
#include "console/failure.h"
#include "console/json-text.h"
#include "console/table.h"
#include "result/cli.capnp.h"
#include "supervisor/outcome.h"
#include "supervisor/repeated-question.h"
#include "wire/escape.h"

namespace bothy {
namespace {

constexpr kj::StringPtr TEXT =
    R"(Has bothyd examine its host for what workspaces need, and for what their isolation and their secrecy
rest on.  Each check is `ok`, `warn` (workspaces run, and something is weaker than it could be) or `refuse`
(bothyd would not start again); what to do about it stands below.  Changes nothing.

Exits with 0 if nothing is refused, else with 1.)"_kj;

using Findings = capnp::List<rpc::Finding>::Reader;

// The table, and below each line that is not good what to do about it.
kj::String describe(Findings findings) {
  const kj::StringPtr headings[] = {"NAME", "VERDICT", "FOUND"};
  Table table(headings);
  for (auto finding : findings) {
    const kj::String cells[] = {kj::str(finding.getName()), kj::str(nameOf(finding.getVerdict())),
                                kj::str(finding.getFound())};
    table.add(cells);
  }
  auto rendered = table.render();
  kj::Vector<kj::String> lines;
  auto rest = kj::StringPtr(rendered);
  auto takeLine = [&]() {
    size_t length = rest.findFirst('\n').orDefault(rest.size() - 1) + 1;
    lines.add(kj::heapString(rest.slice(0, length)));
    rest = rest.slice(length);
  };
  takeLine();
  // Cells are escaped: each finding has one line.
  for (auto finding : findings) {
    takeLine();
    if (finding.getAdvice().size() > 0) {
      lines.add(kj::str("    ", escapeGuestText(finding.getAdvice().asArray()), "\n"));
    }
  }
  return kj::str(kj::strArray(lines, ""));
}

class DoctorCommand final: public Command {
public:
  DoctorCommand()
      : Command({"doctor", "examine bothyd's host, and what to do about it", FAILURE, false}) {}

  void declare(Usage& usage) override {
    usage.form("");
    usage.describe(TEXT, "With --json: Examination of cli.capnp.");
  }

  kj::Promise<int> run(Context& context, Usage& usage) override {
    int code = FAILURE;
    co_await askUntilAnswered(context.timer, [&context, &code]() -> kj::Promise<void> {
      return show(context).then([&code](int shown) { code = shown; });
    });
    co_return code;
  }

private:
  static kj::Promise<int> show(Context& context);
};

kj::Promise<int> DoctorCommand::show(Context& context) {
  auto link = context.connector.connect();
  auto response = co_await link->supervisor().doctorRequest().send();
  auto findings = response.getFindings();
  if (context.console.wantsJson()) {
    context.console.print(
        jsonLine<result::Examination>([&](auto result) { result.setFindings(findings); }));
  } else {
    context.console.print(describe(findings));
  }
  size_t refused = 0;
  for (auto finding : findings) {
    if (finding.getVerdict() == rpc::Verdict::REFUSE) refused++;
  }
  if (refused == 0) co_return SUCCESS;
  context.console.note(kj::str("bothyd will not start again on this host before what is refused (",
                               refused, ") is mended"));
  co_return FAILURE;
}

}  // namespace

kj::Own<Command> doctorCommand() {
  return kj::heap<DoctorCommand>();
}

}  // namespace bothy
