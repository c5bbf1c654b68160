#include <kj/vector.h>

#include "command/command.h"
#include "command/create-command.h"
#include "command/setup-report.h"
#include "command/stage-display.h"
#include "console/failure.h"
#include "console/json-text.h"
#include "console/quantity.h"
#include "console/table.h"
#include "result/cli.capnp.h"
#include "schema/user.capnp.h"
#include "supervisor/invalid-spec.h"
#include "supervisor/outcome.h"
#include "supervisor/repeated-question.h"
#include "wire/escape.h"

namespace bothy {
namespace {

constexpr kj::StringPtr TEXT =
    R"(Workspaces of the platform's users.  `ensure` brings the user's workspace up from wherever it is: it resumes one that is paused,
starts one that is stopped, makes one that has expired anew, with an empty disk, and makes one, of what the options say, where the user has none.  Who asks while that is under way waits for the same.  `ls` shows the
workspaces of a user, or of all users; `rm` destroys all that the user has, with their files.)"_kj;

constexpr kj::StringPtr AFTER =
    R"(USER: as the platform names its users, at most 128 visible characters.  NAME: what the user calls the workspace, as that of `bothy create`; else
the one without a name.  Other commands take the name of WORKSPACE.

With --json, of cli.capnp: UserEnsured of `ensure`, Workspaces of `ls`, Deleted of `rm`.)"_kj;

constexpr kj::StringPtr ACTIONS[] = {"ensure"_kj, "ls"_kj, "rm"_kj};

using UserPage = capnp::Response<rpc::Users::ListResults>;

kj::StringPtr describe(rpc::Users::Done done) {
  switch (done) {
    case rpc::Users::Done::CONNECTED:
      return "is running";
    case rpc::Users::Done::RESUMED:
      return "was resumed";
    case rpc::Users::Done::STARTED:
      return "was started";
    case rpc::Users::Done::CREATED:
      return "was created";
    case rpc::Users::Done::RECREATED:
      return "had expired and was made anew";
  }
  return "is running";
}

rpc::Users::Client usersOf(SupervisorLink& link) {
  return link.supervisor().usersRequest().send().getUsers().castAs<rpc::Users>();
}

kj::Promise<kj::Array<UserPage>> listAll(rpc::Users::Client users, kj::StringPtr user) {
  kj::Vector<UserPage> pages;
  for (;;) {
    auto request = users.listRequest();
    request.setUser(user);
    if (pages.size() > 0) request.setAfter(pages.back().getNext());
    auto& page = pages.add(co_await request.send());
    if (!page.hasNext()) co_return pages.releaseAsArray();
  }
}

kj::String orDash(kj::StringPtr text) {
  return text.size() > 0 ? escapeGuestText(text.asArray()) : kj::str("-");
}

class UserCommand final: public Command {
public:
  UserCommand() : Command({"user", "workspaces of the platform's users", FAILURE, false}) {}

  void declare(Usage& usage) override {
    usage.form("ensure [--name NAME] [OPTION]... USER");
    usage.form("ls [USER]");
    usage.form("rm [-f] USER");
    usage.describe(TEXT, AFTER);
    usage.option(0, "name", {"NAME"}, "ensure: which of the user's workspaces", name);
    declareSpec(usage, workspace);
    usage.flag('f', "force", "rm: also running ones, by force; a user without any is no failure",
               force);
    usage.operand({"ensure|ls|rm", Value::Kind::WORDS, ACTIONS}, action);
    usage.optionalOperand({"USER"}, user);
  }

  kj::Promise<int> run(Context& context, Usage& usage) override;

private:
  kj::StringPtr action;
  kj::StringPtr user;
  kj::StringPtr name;
  NewWorkspace workspace;
  bool force = false;

  kj::String whose() const;
  // The exit code, as that of `bothy create`.
  kj::Promise<int> ensure(Context& context);
  kj::Promise<void> list(Context& context);
  kj::Promise<void> remove(Context& context);
};

// For people.
kj::String UserCommand::whose() const {
  auto text = kj::str("the workspace of ", escapeGuestText(user.asArray()));
  if (name.size() == 0) return text;
  return kj::str(text, " called ", escapeGuestText(name.asArray()));
}

kj::Promise<int> UserCommand::ensure(Context& context) {
  StageDisplay display(context.console, context.timer);
  auto begun = context.timer.now();
  auto link = context.connector.connect();
  auto request = usersOf(*link).ensureRequest();
  request.setUser(user);
  request.setName(name);
  fill(request.initSpec(), workspace);
  request.setProgress(display.progress());
  auto response = co_await request.send();

  using Outcome = rpc::Users::EnsureOutcome;
  auto outcome = response.getOutcome();
  switch (outcome.which()) {
    case Outcome::ENSURED: {
      display.finish();
      auto ensured = outcome.getEnsured();
      auto given = ensured.getWorkspace().getSpec().getName();
      if (context.console.wantsJson()) {
        context.console.print(jsonLine<result::UserEnsured>([&](auto result) {
          result.setWorkspace(ensured.getWorkspace());
          result.setDone(ensured.getDone());
        }));
      } else {
        auto took = formatDuration(context.timer.now() - begun);
        context.console.print(kj::str(given, "\n"));
        context.console.note(kj::str(given, " ", describe(ensured.getDone()), ", after ", took,
                                     ": `bothy shell ", given, "`"));
      }
      co_return reportSetup(context.console, ensured.getWorkspace());
    }
    case Outcome::INVALID:
      kj::throwFatalException(usageFailure("user", describeInvalid(outcome.getInvalid())));
    case Outcome::NO_SUCH_IMAGE:
      kj::throwFatalException(noSuchImage(outcome.getNoSuchImage()));
    case Outcome::FAILED:
      failStart(context.console, whose(), outcome.getFailed(),
                "the same command tries again, `bothy user ls` shows what it is called here");
    case Outcome::NO_SPACE:
      kj::throwFatalException(failure(escapeGuestText(outcome.getNoSpace().asArray())));
    case Outcome::STOPPED:
      kj::throwFatalException(stoppedBeforeItRan(whose()));
    case Outcome::BUSY:
      // Of one that rests again by now, too.
      kj::throwFatalException(failure(kj::str(whose(), " is busy (", nameOf(outcome.getBusy()),
                                              "): the same command tries again")));
    case Outcome::UNDERWAY:
      kj::throwFatalException(stillUnderway(whose(), outcome.getUnderway()));
    case Outcome::NO_CAPACITY:
      kj::throwFatalException(noCapacity(whose(), outcome.getNoCapacity()));
  }
  kj::throwFatalException(newerSupervisor());
}

kj::Promise<void> UserCommand::list(Context& context) {
  auto link = context.connector.connect();
  auto pages = co_await listAll(usersOf(*link), user);
  kj::Vector<rpc::WorkspaceInfo::Reader> all;
  for (auto& page : pages) {
    for (auto info : page.getWorkspaces()) all.add(info);
  }
  if (context.console.wantsJson()) {
    context.console.print(jsonLine<result::Workspaces>([&](auto result) {
      auto list = result.initWorkspaces(all.size());
      for (auto i : kj::indices(all)) list.setWithCaveats(i, all[i]);
    }));
    co_return;
  }
  if (all.size() == 0) {
    context.console.note(
        user.size() == 0 ? kj::str("no user has a workspace: `bothy user ensure USER` makes one")
                         : kj::str(escapeGuestText(user.asArray()), " has no workspace"));
    co_return;
  }
  const kj::StringPtr headings[] = {"USER",        "NAME", "WORKSPACE", "STATE",
                                    "LAST ACTIVE", "TIER", "IMAGE",     "HOST"};
  Table table(headings);
  for (auto info : all) {
    auto spec = info.getSpec();
    const kj::String cells[] = {orDash(info.getUser()),
                                orDash(info.getNameOfUser()),
                                kj::str(spec.getName()),
                                kj::str(nameOf(info.getState())),
                                formatTime(info.getLastActiveNanos()),
                                orDash(spec.getTier()),
                                kj::str(spec.getImage()),
                                orDash(info.getHost())};
    table.add(cells);
  }
  context.console.print(table.render());
}

kj::Promise<void> UserCommand::remove(Context& context) {
  auto link = context.connector.connect();
  auto users = usersOf(*link);
  auto shown = escapeGuestText(user.asArray());
  if (!force) {
    kj::Vector<kj::String> running;
    auto pages = co_await listAll(users, user);
    size_t count = 0;
    for (auto& page : pages) {
      count += page.getWorkspaces().size();
      for (auto info : page.getWorkspaces()) {
        auto state = info.getState();
        if (state == rpc::WorkspaceState::RUNNING || state == rpc::WorkspaceState::STARTING ||
            state == rpc::WorkspaceState::CREATING || isHalted(state)) {
          running.add(kj::str(info.getSpec().getName(), " (", nameOf(state), ")"));
        }
      }
    }
    if (count == 0) kj::throwFatalException(failure(kj::str(shown, " has no workspace")));
    if (running.size() > 0) {
      kj::throwFatalException(
          failure(kj::str(shown, " has workspaces that are up: ", kj::strArray(running, ", "),
                          ": `bothy stop` them first, or `bothy user rm -f`")));
    }
  }
  auto request = users.removeRequest();
  request.setUser(user);
  auto response = co_await request.send();
  auto outcome = response.getOutcome();
  auto names = outcome.getDeleted();
  for (auto each : names) context.console.note(kj::str(each, " is gone, with its disk"));
  if (context.console.wantsJson() && (names.size() > 0 || !outcome.hasUnderway())) {
    context.console.print(
        jsonLine<result::Deleted>([&](auto result) { result.setDeleted(names); }));
  }
  if (outcome.hasUnderway()) {
    kj::throwFatalException(stillUnderway(outcome.getRemaining(), outcome.getUnderway()));
  }
}

kj::Promise<int> UserCommand::run(Context& context, Usage& usage) {
  if (action != "ls" && user.size() == 0) usage.fail(kj::str(action, " wants a USER"));
  if (action == "ensure") {
    co_return co_await ensure(context);
  } else if (action == "ls") {
    co_await askUntilAnswered(context.timer, [&] { return list(context); });
  } else if (action == "rm") {
    co_await remove(context);
  } else {
    usage.fail(kj::str("user wants ensure, ls or rm, not ", action));
  }
  co_return SUCCESS;
}

}  // namespace

kj::Own<Command> userCommand() {
  return kj::heap<UserCommand>();
}

}  // namespace bothy
