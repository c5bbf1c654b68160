#include <fcntl.h>
#include <kj/debug.h>
#include <stdlib.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

#include "command/command-test-world.h"
#include "console/failure.h"

namespace bothy {
namespace {

constexpr kj::StringPtr ID = "0123456789abcdef0123456789abcdef"_kj;

// A file with a text, for as long as it lives.
class TextFile final {
public:
  explicit TextFile(kj::StringPtr text) {
    int fd;
    KJ_SYSCALL(fd = mkstemp(path));
    kj::AutoCloseFd owned(fd);
    kj::FdOutputStream(fd).write(text.begin(), text.size());
  }
  ~TextFile() noexcept(false) { unlink(path); }
  KJ_DISALLOW_COPY_AND_MOVE(TextFile);

  kj::StringPtr name() const { return path; }

private:
  char path[32] = "/tmp/bothy-token-XXXXXX";
};

TEST_CASE("S34 a session's token is printed once, alone, and said to nobody else") {
  CommandTestWorld world;
  CHECK(world.run({"session", "create", "demo", "--view", "--files", "rw", "--beneath", "/srv",
                   "--power", "--for", "8h", "--label", "browser", "--actor", "alice"}) == SUCCESS);
  CHECK(world.out() == kj::str(world.supervisor.sessions.token, "\n"));
  CHECK(!contains(world.errors(), world.supervisor.sessions.token));
  CHECK(contains(world.errors(), ID));
  auto asked = world.supervisor.sessions.asked.getRoot<rpc::Sessions::Request>().asReader();
  CHECK(asked.getWorkspace() == "demo");
  CHECK(asked.getLifetimeMillis() == 8 * 3600 * 1000);
  CHECK((asked.getLabel() == "browser" && asked.getActor() == "alice"));
  auto rights = asked.getRights();
  CHECK(rights.getTerminals() == rpc::SessionRights::TerminalAccess::VIEW);
  CHECK(rights.getFiles() == rpc::SessionRights::FileRight::WRITE);
  CHECK(rights.getBeneath() == "/srv"_kj.asBytes());
  CHECK((rights.getPower() && !rights.getExec()));
}

TEST_CASE("session create --json has the token and what it is for, and an hour is the default") {
  CommandTestWorld world;
  CHECK(world.run({"session", "create", "--json", "--exec", "demo"}) == SUCCESS);
  CHECK(contains(world.out(), kj::str("\"token\":\"", world.supervisor.sessions.token, "\"")));
  CHECK(contains(world.out(), "\"exec\":true"));
  auto asked = world.supervisor.sessions.asked.getRoot<rpc::Sessions::Request>().asReader();
  CHECK(asked.getLifetimeMillis() == 3600 * 1000);
}

TEST_CASE("session create tells what is missing, and why it was refused") {
  CommandTestWorld world;
  auto refused = [&](std::initializer_list<kj::StringPtr> arguments, int code,
                     kj::StringPtr words) {
    CHECK(world.run(arguments) == code);
    INFO(world.errors().cStr());
    CHECK(contains(world.errors(), words));
  };
  SECTION("no workspace") {
    refused({"session", "create", "--exec"}, WRONG_USAGE, "create wants the NAME");
  }
  SECTION("no right") {
    refused({"session", "create", "demo"}, WRONG_USAGE, "a session needs a right");
  }
  SECTION("two that exclude each other") {
    refused({"session", "create", "demo", "--view", "--terminals"}, WRONG_USAGE, "exclude");
  }
  SECTION("a directory without files") {
    refused({"session", "create", "demo", "--exec", "--beneath", "/"}, WRONG_USAGE, "--files only");
  }
  SECTION("no such right to files") {
    refused({"session", "create", "demo", "--files", "x"}, WRONG_USAGE, "--files wants r or rw");
  }
  SECTION("no such time") {
    refused({"session", "create", "demo", "--exec", "--for", "ever"}, WRONG_USAGE, "--for wants");
  }
  SECTION("no such word") {
    refused({"session", "make"}, WRONG_USAGE, "session wants create, ls, revoke or show");
  }
  SECTION("no such workspace") {
    refused({"session", "create", "dema", "--exec"}, FAILURE, "did you mean demo?");
  }
  SECTION("too many") {
    world.supervisor.sessions.areTooMany = true;
    refused({"session", "create", "demo", "--exec"}, FAILURE, ID);
  }
  SECTION("a request that bothyd does not take") {
    world.supervisor.sessions.invalid = "label has\x1b"_kj;
    refused({"session", "create", "demo", "--exec"}, FAILURE, "label has\\x1b");
  }
}

TEST_CASE("session ls shows all pages, escaped") {
  CommandTestWorld world;
  CHECK(world.run({"session", "ls"}) == SUCCESS);
  CHECK(contains(world.out(), ID));
  CHECK(contains(world.out(), "second"));
  CHECK(contains(world.out(), "view, files:r in /srv"));
  CHECK(contains(world.out(), "evil\\x1b[2J"));
}

TEST_CASE("session ls --json has a list") {
  CommandTestWorld world;
  CHECK(world.run({"session", "ls", "--json", "demo"}) == SUCCESS);
  CHECK(contains(world.out(), "\"sessions\":[{"));
}

TEST_CASE("session revoke says what came of it") {
  CommandTestWorld world;
  CHECK(world.run({"session", "revoke", ID}) == SUCCESS);
  CHECK(world.supervisor.sessions.isRevoked);
  CHECK(contains(world.errors(), "is over"));
  CHECK(world.run({"session", "revoke", "other"}) == FAILURE);
  CHECK(contains(world.errors(), "there is no session other"));
  CHECK(world.run({"session", "revoke"}) == WRONG_USAGE);
  world.supervisor.sessions.ending = "the agent is away"_kj;
  CHECK(world.run({"session", "revoke", ID}) == FAILURE);
  CHECK(contains(world.errors(), "could not be cut yet (the agent is away)"));
}

TEST_CASE("a command with a session's token works over what that gives, in one round trip") {
  CommandTestWorld world;
  TextFile token(kj::str(world.supervisor.sessions.token, "\n"));
  CHECK(world.run({"--session", token.name(), "session", "show"}) == SUCCESS);
  CHECK(contains(world.out(), "alice"));
  world.start({"exec", "--session", token.name(), "-n", "demo", "--", "true"});
  world.settle();
  CHECK(world.supervisor.lanes == 1);
  CHECK(world.supervisor.sessions.redeemed == 2);
  CHECK(world.run({"--session", token.name(), "start", "demo"}) == SUCCESS);
  CHECK(world.supervisor.sessions.starts == 1);
}

TEST_CASE(
    "what a session may not do is told, and nothing is asked of bothyd that it could not answer") {
  CommandTestWorld world;
  TextFile token(world.supervisor.sessions.token);
  auto refused = [&](std::initializer_list<kj::StringPtr> arguments, int code,
                     kj::StringPtr words) {
    kj::Vector<kj::StringPtr> all;
    all.add("--session"_kj);
    all.add(token.name());
    for (auto word : arguments) all.add(word);
    CHECK(world.run(all) == code);
    INFO(world.errors().cStr());
    CHECK(contains(world.errors(), words));
  };
  SECTION("another command") {
    refused({"ls"}, WRONG_USAGE, "a session cannot do this");
    refused({"session", "ls"}, WRONG_USAGE, "makes, lists and revokes none");
    CHECK(world.supervisor.connections == 0);
  }
  SECTION("another workspace") {
    refused({"exec", "idle", "true"}, EXEC_FAILED, "the session is one of demo");
  }
  SECTION("a right that it has not") {
    world.supervisor.sessions.notAllowed = "this session may look"_kj;
    refused({"exec", "demo", "true"}, EXEC_FAILED, "demo: this session may look");
    refused({"start", "demo"}, FAILURE, "this session may look");
  }
  SECTION("anything, when it has ended") {
    world.supervisor.sessions.isRevoked = true;
    refused({"exec", "demo", "true"}, EXEC_FAILED, "expired or was revoked");
    refused({"session", "show"}, FAILURE, "expired or was revoked");
  }
}

TEST_CASE("S34 a token in the command line is refused, and so is a file that holds none") {
  CommandTestWorld world;
  CHECK(world.run({"--session", world.supervisor.sessions.token, "exec", "demo", "true"}) ==
        WRONG_USAGE);
  CHECK(contains(world.errors(), "whoever may list processes"));
  CHECK(!contains(world.errors(), world.supervisor.sessions.token));
  TextFile other("something else");
  CHECK(world.run({"--session", other.name(), "exec", "demo", "true"}) == WRONG_USAGE);
  CHECK(contains(world.errors(), "holds no session's token"));
  CHECK(!contains(world.errors(), "something else"));
  CHECK(world.run({"--session", "/nowhere", "exec", "demo", "true"}) == FAILURE);
  CHECK(contains(world.errors(), "cannot read /nowhere"));
  CHECK(world.supervisor.connections == 0);
}

TEST_CASE("P54 a command whose session is revoked ends, and says why") {
  CommandTestWorld world;
  TextFile token(world.supervisor.sessions.token);
  world.supervisor.laneEnd = rpc::LaneEnd::REVOKED;
  world.start({"exec", "--session", token.name(), "demo", "cat"});
  REQUIRE(world.supervisor.lanes == 1);
  REQUIRE_FALSE(world.isDone());
  world.supervisor.sessions.isRevoked = true;
  world.supervisor.breakLanes();
  for (int i = 0; i < 100 && !world.isDone(); ++i) world.advance(100 * kj::MILLISECONDS);
  REQUIRE(world.isDone());
  CHECK(world.wait() == EXEC_FAILED);
  CHECK(contains(world.errors(), "was revoked"));
}

}  // namespace
}  // namespace bothy
