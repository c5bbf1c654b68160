#include "command/command.h"

#include <string.h>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "command/command-test-world.h"
#include "console/failure.h"
#include "console/json-text.h"
#include "result/cli.capnp.h"

namespace bothy {
namespace {

TEST_CASE("every command has a help text that begins with its usage") {
  for (auto& command : allCommands()) {
    CommandTestWorld world;
    auto name = command->traits.name;
    INFO(name.cStr());
    CHECK(world.run({name, "--help"}) == SUCCESS);
    CHECK(world.out().startsWith(kj::str("Usage: bothy ", name)));
    CHECK(world.errors() == "");
    CHECK(world.supervisor.connections == 0);
  }
}

TEST_CASE("wrong usage exits with 2 and says where to look") {
  CommandTestWorld world;
  CHECK(world.run({}) == WRONG_USAGE);
  CHECK(world.run({"frobnicate"}) == WRONG_USAGE);
  CHECK(world.run({"ls", "--frob"}) == WRONG_USAGE);
  CHECK(world.run({"exec", "demo"}) == WRONG_USAGE);
  CHECK(world.run({"create", "--memory", "much", "x"}) == WRONG_USAGE);
  CHECK(world.run({"stop", "--grace", "11m", "demo"}) == WRONG_USAGE);
  CHECK(contains(world.errors(), "see `bothy stop --help`"));
}

TEST_CASE("without a supervisor every command says what to do") {
  CommandTestWorld world;
  world.supervisor.down = true;
  CHECK(world.run({"ls"}) == FAILURE);
  CHECK(contains(world.errors(), "bothy: bothyd is not running at"));
}

TEST_CASE("with --json a failure is a value on standard output") {
  CommandTestWorld world;
  CHECK(world.run({"start", "--json", "nowhere"}) == FAILURE);
  CHECK(world.out().startsWith("{\"error\":\""));
  CHECK(world.errors() == "");
}

TEST_CASE("S08 ls shows what a guest said escaped") {
  CommandTestWorld world;
  CHECK(world.run({"ls"}) == SUCCESS);
  auto text = world.out();
  CHECK(contains(text, "demo  running"));
  CHECK(contains(text, "512 MiB"));
  CHECK(contains(text, "it said \\x1b]0;x\\x07"));
  CHECK_FALSE(contains(text, "\x1b"));
}

TEST_CASE("S08 ls --json is ASCII") {
  CommandTestWorld world;
  CHECK(world.run({"--json", "ls"}) == SUCCESS);
  CHECK(world.out().startsWith("{\"workspaces\":[{\"spec\":{\"name\":\"demo\""));
  CHECK(contains(world.out(), "it said \\u001b]0;x\\u0007"));
}

TEST_CASE("create shows the stages and then says what to do next") {
  CommandTestWorld world;
  CHECK(world.run({"create", "new", "--memory", "1G"}) == SUCCESS);
  auto errors = world.errors();
  CHECK(contains(errors, "bothy: creating the disk\nbothy: booting\n"));
  CHECK(contains(errors, "`bothy shell new`"));
}

TEST_CASE("P28 create says once, where no line moves, how many machines start first") {
  CommandTestWorld world;
  world.supervisor.startsBefore = 13;
  CHECK(world.run({"create", "new", "--memory", "1G"}) == SUCCESS);
  CHECK(contains(
      world.errors(),
      "bothy: creating the disk\nbothy: waiting for its turn, 12 before it\nbothy: booting\n"));
}

TEST_CASE("create with --json prints the workspace and nothing else") {
  CommandTestWorld world;
  CHECK(world.run({"create", "new", "--json", "--memory", "1G"}) == SUCCESS);
  CHECK(contains(world.out(), "\"memoryMib\":1024"));
  CHECK(world.errors() == "");
}

TEST_CASE("S08 a start that failed shows its stage, reason and the console's end, escaped") {
  CommandTestWorld world;
  world.supervisor.startFailure = kj::str("panic\x1b[m");
  CHECK(world.run({"create", "new"}) == FAILURE);
  auto errors = world.errors();
  CHECK(contains(errors, "line one\n\\x1b[31mline two\n"));
  CHECK(contains(errors, "did not start, while booting: panic\\x1b[m"));
  CHECK_FALSE(contains(errors, "\x1b"));
}

TEST_CASE("create of a name that is taken is a failure") {
  CommandTestWorld world;
  CHECK(world.run({"create", "demo"}) == FAILURE);
  CHECK(contains(world.errors(), "there is a workspace demo already (running)"));
}

TEST_CASE("stop says whether the machine ended in order or by force") {
  CommandTestWorld world;
  CHECK(world.run({"stop", "demo"}) == SUCCESS);
  CHECK(contains(world.errors(), "powered off in order"));
  CHECK(world.run({"stop", "--force", "demo"}) == SUCCESS);
  CHECK(contains(world.errors(), "stopped by force"));
  CHECK(world.run({"stop", "--json", "demo"}) == SUCCESS);
  CHECK(world.out() == "{\"stopped\":\"orderly\"}\n");
}

TEST_CASE("rm refuses a running workspace without --force") {
  CommandTestWorld world;
  CHECK(world.run({"rm", "demo"}) == FAILURE);
  CHECK(contains(world.errors(), "bothy rm -f demo"));
  CHECK(world.run({"rm", "-f", "demo"}) == SUCCESS);
  CHECK(world.run({"rm", "idle"}) == SUCCESS);
}

TEST_CASE("rm destroys all that it can, and says which are gone though others are not") {
  CommandTestWorld world;
  SECTION("in words") {
    CHECK(world.run({"rm", "nonesuch", "demo", "idle"}) == FAILURE);
    CHECK(contains(world.errors(), "idle is gone"));
    CHECK(contains(world.errors(), "nonesuch"));
    CHECK(contains(world.errors(), "bothy rm -f demo"));
  }
  SECTION("as JSON") {
    CHECK(world.run({"rm", "--json", "idle", "nonesuch"}) == FAILURE);
    CHECK(world.out().startsWith("{\"deleted\":[\"idle\"]}\n{\"error\":"));
  }
  SECTION("as JSON, where none is gone") {
    CHECK(world.run({"rm", "--json", "nonesuch"}) == FAILURE);
    CHECK(world.out().startsWith("{\"error\":"));
  }
}

// Whether bothy's words give one line that is a T and nothing else.
template <typename T>
bool prints(std::initializer_list<kj::StringPtr> words) {
  CommandTestWorld world;
  world.run(words);
  auto text = world.out();
  CHECK(world.errors() == "");
  CHECK(text.findFirst('\n').orDefault(0) + 1 == text.size());
  capnp::MallocMessageBuilder message;
  capnp::JsonCodec codec;
  codec.handleByAnnotation<T>();
  codec.setRejectUnknownFields(true);
  auto thrown =
      kj::runCatchingExceptions([&] { codec.decode(text.asArray(), message.initRoot<T>()); });
  KJ_IF_MAYBE (exception, thrown) FAIL_CHECK(exception->getDescription().cStr());
  return thrown == nullptr;
}

TEST_CASE("what each command prints with --json has a schema") {
  CHECK(prints<rpc::WorkspaceInfo>({"create", "--json", "new"}));
  CHECK(prints<rpc::WorkspaceInfo>({"start", "--json", "idle"}));
  CHECK(prints<rpc::WorkspaceInfo>({"resize", "--json", "demo", "--disk", "8G"}));
  CHECK(prints<result::Workspaces>({"ls", "--json"}));
  CHECK(prints<result::Terminals>({"shell", "--list", "--json", "demo"}));
  CHECK(prints<result::Examination>({"doctor", "--json"}));
  CHECK(prints<result::Stopped>({"stop", "--json", "demo"}));
  CHECK(prints<result::Deleted>({"rm", "-f", "--json", "demo", "idle"}));
  CHECK(prints<result::Versions>({"version", "--json"}));
  CHECK(prints<result::Executed>({"exec", "--json", "demo", "talk"}));
  CHECK(prints<result::Executed>({"exec", "--json", "demo", "kill", "9"}));
  CHECK(prints<result::Failure>({"start", "--json", "nowhere"}));
  CHECK(prints<result::Failure>({"--json", "frobnicate"}));
  CHECK(prints<result::Failure>({"ls", "--frob", "--json"}));
}

TEST_CASE("a word that is no command is answered with the one that was meant") {
  CommandTestWorld world;
  CHECK(world.run({"lst"}) == WRONG_USAGE);
  CHECK(world.run({"delete", "x"}) == WRONG_USAGE);
  CHECK(contains(world.errors(), "there is no command lst, is it `ls`?"));
  CHECK(contains(world.errors(), "there is no command delete, is it `rm`?"));
}

TEST_CASE("a workspace that is not there is answered with the one that was meant") {
  using Words = std::initializer_list<kj::StringPtr>;
  for (auto& words : {Words{"start", "demoo"}, Words{"stop", "demoo"}, Words{"rm", "demoo"},
                      Words{"resize", "demoo", "--disk", "8G"}, Words{"shell", "demoo"},
                      Words{"shell", "--list", "demoo"}, Words{"shell", "--attach", "7", "demoo"},
                      Words{"exec", "demoo", "exit", "0"}, Words{"cp", "demoo:/x", "-"}}) {
    CommandTestWorld world;
    auto& command = *words.begin();
    INFO(command.cStr());
    CHECK(world.run(words) == (command == "shell" || command == "exec" ? EXEC_FAILED : FAILURE));
    CHECK(world.errors() == "bothy: there is no workspace demoo; did you mean demo?\n");
    CHECK(world.supervisor.lists == 1);
  }
  {
    CommandTestWorld pages;
    pages.supervisor.page = 1;
    CHECK(pages.run({"start", "idel"}) == FAILURE);
    CHECK(contains(pages.errors(), "did you mean idle?"));
  }
  CommandTestWorld world;
  CHECK(world.run({"start", "other"}) == FAILURE);
  CHECK(contains(world.errors(), "there is no workspace other: `bothy ls` lists them"));
}

TEST_CASE("a workspace that is there costs no look at the others") {
  CommandTestWorld world;
  CHECK(world.run({"exec", "demo", "exit", "0"}) == SUCCESS);
  CHECK(world.run({"start", "demo"}) == SUCCESS);
  CHECK(world.run({"stop", "demo"}) == SUCCESS);
  CHECK(world.run({"rm", "idle"}) == SUCCESS);
  CHECK(world.supervisor.lists == 0);
}

TEST_CASE("help tells about bothy, each command and the exit codes") {
  CommandTestWorld world;
  CHECK(world.run({"help"}) == SUCCESS);
  CHECK(world.run({"help", "exec"}) == SUCCESS);
  CHECK(world.run({"help", "exit-codes"}) == SUCCESS);
  CHECK(contains(world.out(), "  create      make a workspace and start it\n"));
  CHECK(contains(world.out(), "Usage: bothy exec [OPTION]... NAME [--] COMMAND [ARGUMENT]..."));
  CHECK(contains(world.out(), "  127    exec, shell, up: there is no such command"));
  CHECK(world.run({"help", "frobnicate"}) == WRONG_USAGE);
  CHECK(world.run({"help", "--output", "/nowhere"}) == WRONG_USAGE);
}

TEST_CASE("version tells that TCG isolates nobody") {
  CommandTestWorld world;
  CHECK(world.run({"version"}) == SUCCESS);
  CHECK(contains(world.out(), "no isolation"));
  CHECK(world.run({"--json", "version"}) == SUCCESS);
  CHECK(contains(world.out(), "\"accelerator\":\"tcg\""));
}

TEST_CASE("P41 what only reads is asked again when bothyd goes in the middle of it") {
  constexpr kj::uint MOST_MESSAGES = 5;
  const kj::StringPtr lists[] = {"shell", "demo", "--list"};
  for (kj::StringPtr word : {"ls"_kj, "doctor"_kj, "version"_kj, "shell"_kj}) {
    for (kj::uint messages = 0; messages <= MOST_MESSAGES; ++messages) {
      INFO(word.cStr() << " " << messages);
      CommandTestWorld world;
      world.supervisor.supervisorCuts.add(messages);
      if (word == "shell") {
        world.start(lists);
      } else {
        world.start({word});
      }
      world.advance(1 * kj::SECONDS);
      REQUIRE(world.isDone());
      CHECK(world.wait() == SUCCESS);
      CHECK(world.errors() == "");
    }
  }
}

TEST_CASE("P41 a list waits for a bothyd that goes in the middle of it, for a while") {
  for (bool comesBack : {true, false}) {
    CommandTestWorld world;
    world.supervisor.supervisorCuts.add(1);
    world.start({"ls"});
    world.supervisor.down = true;
    for (int i = 0; i < 5; ++i) world.advance(1 * kj::SECONDS);
    CHECK_FALSE(world.isDone());
    if (comesBack) world.supervisor.down = false;
    for (int i = 0; i < 15; ++i) world.advance(1 * kj::SECONDS);
    REQUIRE(world.isDone());
    CHECK(world.wait() == (comesBack ? SUCCESS : FAILURE));
    CHECK(contains(world.errors(), "bothyd is not running") == !comesBack);
  }
}

TEST_CASE("a workspace that is being deleted is not to be tried again") {
  CommandTestWorld world;
  world.supervisor.state = rpc::WorkspaceState::DELETING;
  CHECK(world.run({"exec", "demo", "exit", "0"}) == EXEC_FAILED);
  CHECK(world.errors() == "bothy: demo is being deleted\n");
}

}  // namespace
}  // namespace bothy
