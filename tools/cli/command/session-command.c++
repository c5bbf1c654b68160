#include <kj/vector.h>

#include "command/command.h"
#include "console/failure.h"
#include "console/json-text.h"
#include "console/quantity.h"
#include "console/table.h"
#include "result/cli.capnp.h"
#include "supervisor/outcome.h"
#include "supervisor/repeated-question.h"
#include "wire/escape.h"

namespace bothy {
namespace {

using Rights = rpc::SessionRights;

constexpr kj::StringPtr TEXT =
    R"(`create` makes a right to a workspace for a time, and prints its token, once: whoever has the token has the
right, with `bothy --session FILE shell|exec|cp ...`, and needs no other.  `ls` shows the sessions, of all workspaces or of one; `revoke` ends
them at once, with all that goes on over them; `show` tells what the session is whose token is given with --session.)"_kj;

constexpr kj::StringPtr AFTER =
    R"(With --json, of cli.capnp: SessionMade of `create`, SessionList of `ls`, SessionRevoked of `revoke`; of `show` a SessionInfo of
session.capnp.)"_kj;

constexpr kj::StringPtr ACTIONS[] = {"create"_kj, "ls"_kj, "revoke"_kj, "show"_kj};
constexpr kj::StringPtr FILE_RIGHTS[] = {"r"_kj, "rw"_kj};
constexpr kj::StringPtr TIMES[] = {"10m"_kj, "1h"_kj, "8h"_kj};
constexpr kj::Duration DEFAULT_LIFETIME = 1 * kj::HOURS;

kj::String textOf(Rights::Reader rights) {
  kj::Vector<kj::String> words;
  if (rights.getTerminals() == Rights::TerminalAccess::VIEW) words.add(kj::str("view"));
  if (rights.getTerminals() == Rights::TerminalAccess::USE) words.add(kj::str("terminals"));
  if (rights.getExec()) words.add(kj::str("exec"));
  if (rights.getFiles() != Rights::FileRight::NONE) {
    auto text = kj::str("files:", rights.getFiles() == Rights::FileRight::WRITE ? "rw" : "r");
    if (rights.getBeneath().size() > 0) {
      text = kj::str(text, " in ", escapeGuestText(rights.getBeneath().asChars()));
    }
    words.add(kj::mv(text));
  }
  if (rights.getPower()) words.add(kj::str("power"));
  return kj::strArray(words, ", ");
}

kj::StringPtr nameOf(rpc::SessionEnd end) {
  switch (end) {
    case rpc::SessionEnd::NONE:
      return "";
    case rpc::SessionEnd::EXPIRED:
      return "has expired";
    case rpc::SessionEnd::REVOKED:
      return "revoked";
    case rpc::SessionEnd::WORKSPACE_DELETED:
      return "its workspace is deleted";
  }
  return "has ended";
}

kj::String orDash(kj::StringPtr text) {
  return text.size() > 0 ? kj::str(text) : kj::str("-");
}

void showTable(Context& context, kj::ArrayPtr<const rpc::SessionInfo::Reader> sessions) {
  const kj::StringPtr headings[] = {"ID",    "WORKSPACE", "RIGHTS",  "ACTOR",
                                    "LABEL", "LAST USED", "EXPIRES", "ENDED"};
  Table table(headings);
  for (auto info : sessions) {
    const kj::String cells[] = {kj::str(info.getId()),
                                kj::str(info.getWorkspace()),
                                textOf(info.getRights()),
                                orDash(info.getActor()),
                                orDash(info.getLabel()),
                                formatTime(info.getLastUsedNanos()),
                                formatTime(info.getExpiresNanos()),
                                orDash(nameOf(info.getEnded()))};
    table.add(cells);
  }
  context.console.print(table.render());
}

class SessionCommand final: public Command {
public:
  SessionCommand()
      : Command({"session", "rights to a workspace for a time", FAILURE, false, true}) {}

  void declare(Usage& usage) override {
    usage.form(
        "create NAME [--view|--terminals] [--exec] [--files r|rw [--beneath DIR]] [--power] "
        "[OPTION]...");
    usage.form("ls [NAME]");
    usage.form("revoke ID");
    usage.form("show");
    usage.describe(TEXT, AFTER);
    usage.flag(0, "view", "create: look at the workspace's terminals", view);
    usage.flag(0, "terminals", "create: use them, and open others", terminals);
    usage.flag(0, "exec", "create: run programs", exec);
    usage.option(0, "files", {"r|rw", Value::Kind::WORDS, FILE_RIGHTS},
                 "create: read files of the workspace's user, or read and write them",
                 [this, &usage](kj::StringPtr given) {
                   if (given != "r" && given != "rw") {
                     usage.fail(kj::str("--files wants r or rw, not ", given));
                   }
                   files = given;
                 });
    usage.option(0, "beneath", {"DIR"}, "create: of --files, in this directory alone", beneath);
    usage.flag(0, "power", "create: start the workspace, and power it off and reboot it", power);
    usage.option(0, "for", {"TIME", Value::Kind::WORDS, TIMES},
                 "create: how long it lives (1h; a number alone is seconds)",
                 [this, &usage](kj::StringPtr text) {
                   KJ_IF_MAYBE (duration, parseDuration(text)) {
                     lifetime = *duration;
                     return;
                   }
                   usage.fail(kj::str("--for wants a time like 10m, 8h or 7d, not ", text));
                 });
    usage.option(0, "label", {"TEXT"}, "create: what `ls` calls it", label);
    usage.option(0, "actor", {"NAME"}, "create: on whose behalf it is", actor);
    usage.operand({"create|ls|revoke|show", Value::Kind::WORDS, ACTIONS}, action);
    usage.optionalOperand({"NAME|ID", Value::Kind::WORKSPACE}, target);
  }

  kj::Promise<int> run(Context& context, Usage& usage) override;

private:
  kj::StringPtr action;
  kj::StringPtr target;
  bool view = false;
  bool terminals = false;
  bool exec = false;
  bool power = false;
  kj::StringPtr files;
  kj::StringPtr beneath;
  kj::StringPtr label;
  kj::StringPtr actor;
  kj::Duration lifetime = DEFAULT_LIFETIME;

  void fill(Rights::Builder rights) const;
  kj::Promise<void> create(Context& context, Usage& usage);
  kj::Promise<void> list(Context& context);
  kj::Promise<void> revoke(Context& context, Usage& usage);
  kj::Promise<void> show(Context& context);
};

void SessionCommand::fill(Rights::Builder rights) const {
  if (view) rights.setTerminals(Rights::TerminalAccess::VIEW);
  if (terminals) rights.setTerminals(Rights::TerminalAccess::USE);
  rights.setExec(exec);
  if (files == "r") rights.setFiles(Rights::FileRight::READ);
  if (files == "rw") rights.setFiles(Rights::FileRight::WRITE);
  if (beneath.size() > 0) rights.setBeneath(beneath.asBytes());
  rights.setPower(power);
}

kj::Promise<void> SessionCommand::create(Context& context, Usage& usage) {
  if (target.size() == 0) usage.fail("create wants the NAME of a workspace");
  if (view && terminals) usage.fail("--view and --terminals exclude each other");
  if (!view && !terminals && !exec && !power && files.size() == 0) {
    usage.fail("a session needs a right: --view, --terminals, --exec, --files r|rw or --power");
  }
  if (beneath.size() > 0 && files.size() == 0) usage.fail("--beneath goes with --files only");
  auto name = target;
  auto link = context.connector.connect();
  auto call = link->supervisor().sessionsRequest().send().getSessions().createRequest();
  auto request = call.initRequest();
  request.setWorkspace(name);
  fill(request.initRights());
  request.setLifetimeMillis(lifetime / kj::MILLISECONDS);
  request.setLabel(label);
  request.setActor(actor);
  auto response = co_await call.send();
  auto outcome = response.getOutcome();
  using Outcome = rpc::Sessions::CreateOutcome;
  switch (outcome.which()) {
    case Outcome::CREATED: {
      auto created = outcome.getCreated();
      if (context.console.wantsJson()) {
        context.console.print(jsonLine<result::SessionMade>([&](auto result) {
          result.setInfo(created.getInfo());
          result.setToken(created.getToken());
        }));
      } else {
        context.console.print(kj::str(created.getToken(), "\n"));
        context.console.note(kj::str("session ", created.getInfo().getId(), " of ", name, ": ",
                                     textOf(created.getInfo().getRights()), ", until ",
                                     formatTime(created.getInfo().getExpiresNanos()),
                                     "; its token is not shown again"));
      }
      co_return;
    }
    case Outcome::ABSENT:
      kj::throwFatalException(co_await noSuchWorkspace(link->supervisor(), name));
    case Outcome::INVALID:
      kj::throwFatalException(failure(kj::str("bothyd refuses this session: ",
                                              escapeGuestText(outcome.getInvalid().asArray()))));
    case Outcome::TOO_MANY_SESSIONS: {
      kj::Vector<kj::String> ids;
      for (auto info : outcome.getTooManySessions()) ids.add(kj::str(info.getId()));
      kj::throwFatalException(
          failure(kj::str(name, " has as many sessions as it may, ", ids.size(),
                          ": `bothy session revoke` one of ", kj::strArray(ids, ", "))));
    }
    case Outcome::REQUEST_CONFLICT:
      break;
  }
  kj::throwFatalException(newerSupervisor());
}

kj::Promise<void> SessionCommand::list(Context& context) {
  auto link = context.connector.connect();
  auto sessions = link->supervisor().sessionsRequest().send().getSessions();
  kj::Vector<capnp::Response<rpc::Sessions::ListResults>> pages;
  kj::StringPtr after = "";
  do {
    auto request = sessions.listRequest();
    request.setWorkspace(target);
    request.setAfter(after);
    auto& page = pages.add(co_await request.send());
    after = page.getNext();
  } while (after.size() > 0);
  kj::Vector<rpc::SessionInfo::Reader> all;
  for (auto& page : pages) {
    for (auto info : page.getSessions()) all.add(info);
  }
  if (!context.console.wantsJson()) {
    showTable(context, all);
    co_return;
  }
  context.console.print(jsonLine<result::SessionList>([&](auto result) {
    auto list = result.initSessions(all.size());
    for (auto i : kj::indices(all)) list.setWithCaveats(i, all[i]);
  }));
}

kj::Promise<void> SessionCommand::revoke(Context& context, Usage& usage) {
  if (target.size() == 0) {
    usage.fail("revoke wants the ID of a session; `bothy session ls` shows them");
  }
  auto link = context.connector.connect();
  auto request = link->supervisor().sessionsRequest().send().getSessions().revokeRequest();
  request.initWhich().setId(target);
  auto response = co_await request.send();
  auto outcome = response.getOutcome();
  auto id = escapeGuestText(target.asArray());
  using Outcome = rpc::Sessions::RevokeOutcome;
  switch (outcome.which()) {
    case Outcome::REVOKED:
      if (context.console.wantsJson()) {
        context.console.print(
            jsonLine<result::SessionRevoked>([&](auto result) { result.setRevoked(target); }));
      } else {
        context.console.note(kj::str("session ", id, " is over"));
      }
      co_return;
    case Outcome::ABSENT:
      kj::throwFatalException(failure(kj::str("there is no session ", id, ", or it has ended")));
    case Outcome::ENDING:
      kj::throwFatalException(failure(kj::str(
          "session ", id,
          " is revoked, and connections that it got before bothyd was restarted could not be cut "
          "yet (",
          escapeGuestText(outcome.getEnding().asArray()), "): bothyd goes on until they are")));
  }
  kj::throwFatalException(newerSupervisor());
}

kj::Promise<void> SessionCommand::show(Context& context) {
  auto link = context.connector.connect();
  auto session = co_await link->session();
  auto response = co_await session.infoRequest().send();
  auto info = response.getInfo();
  if (context.console.wantsJson()) {
    context.console.print(kj::str(toJson(info), "\n"));
  } else {
    showTable(context, kj::arrayPtr(&info, 1));
  }
}

kj::Promise<int> SessionCommand::run(Context& context, Usage& usage) {
  if (action != "show" && context.connector.usesSession()) {
    usage.fail("a session makes, lists and revokes none: without --session and BOTHY_SESSION");
  }
  if (action == "create") {
    co_await create(context, usage);
  } else if (action == "ls") {
    co_await askUntilAnswered(context.timer, [&] { return list(context); });
  } else if (action == "revoke") {
    co_await revoke(context, usage);
  } else if (action == "show") {
    if (target.size() > 0) usage.fail("show takes nothing but --session");
    co_await askUntilAnswered(context.timer, [&] { return show(context); });
  } else {
    usage.fail(kj::str("session wants create, ls, revoke or show, not ", action));
  }
  co_return SUCCESS;
}

}  // namespace

kj::Own<Command> sessionCommand() {
  return kj::heap<SessionCommand>();
}

}  // namespace bothy
