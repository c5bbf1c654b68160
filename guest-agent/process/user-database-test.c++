#include "process/user-database.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <capnp/message.h>
#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "process/login-environment.h"
#include "process/test-world.h"
#include "schema/setup.capnp.h"

namespace bothy {
namespace {

TEST_CASE("a user is found with the groups that name them") {
  TestWorld world;
  auto user = KJ_REQUIRE_NONNULL(world.programs->users.find("user"));
  CHECK(user.uid == world.uid);
  CHECK(user.shell == "/bin/bash");
  REQUIRE(user.groups.size() == 2);
  CHECK(user.groups[1] == 61300);
  CHECK(KJ_REQUIRE_NONNULL(world.programs->users.find(kj::str(world.uid))).name == "user");
  CHECK(world.programs->users.find("61399") == nullptr);
  CHECK(world.programs->users.find("nobody-at-all") == nullptr);
  CHECK(world.programs->users.find("# no user") == nullptr);
}

TEST_CASE("lines that do not parse are passed over") {
  TestWorld world;
  world.writeEtc("passwd", "user:x:many:0::/:/bin/sh\nuser:x\n\nuser:x:5:6::/h:\n");
  auto user = KJ_REQUIRE_NONNULL(world.programs->users.find("user"));
  CHECK(user.uid == 5);
  CHECK(user.shell == "/bin/sh");
}

TEST_CASE("the number that setresuid passes over is nobody's") {
  TestWorld world;
  world.writeEtc("passwd", "user:x:4294967295:5::/:/bin/sh\nguest:x:5:4294967295::/:/bin/sh\n");
  CHECK(world.programs->users.find("user") == nullptr);
  CHECK(world.programs->users.find("guest") == nullptr);
}

TEST_CASE("P48 without a passwd file there is root, who can write another") {
  UserDatabase users("/nowhere");
  auto root = KJ_REQUIRE_NONNULL(users.find("root"));
  CHECK(root.uid == 0);
  CHECK(root.shell == "/bin/sh");
  CHECK(users.find("user") == nullptr);
}

kj::String valueOf(TestWorld& world, kj::StringPtr name) {
  auto user = KJ_REQUIRE_NONNULL(world.programs->users.find("user"));
  auto environment = world.programs->environments.of(user);
  return kj::str(environment.find(name).orDefault("(unset)"));
}

TEST_CASE("P52 the locale is UTF-8 unless the image says otherwise") {
  TestWorld world;
  CHECK(valueOf(world, "LANG") == "C.UTF-8");
  world.writeEtc("default/locale", "#  by hand\nexport LANG=\"de_DE.UTF-8\"\n");
  CHECK(valueOf(world, "LANG") == "de_DE.UTF-8");
}

TEST_CASE("P40 the image's environment file counts, but not for who the user is") {
  TestWorld world;
  world.writeEtc("environment",
                 "PATH=/opt/bin:/bin\nEDITOR='vim'\nHOME=/elsewhere\n2x=3\nnothing\n");
  world.writeEtc("timezone", "Europe/Vienna\n");
  CHECK(valueOf(world, "PATH") == "/opt/bin:/bin");
  CHECK(valueOf(world, "EDITOR") == "vim");
  CHECK(valueOf(world, "HOME") == world.path("").slice(0, world.path("").size() - 1));
  // The time zone is that of /etc/localtime, as after a login.
  CHECK(valueOf(world, "TZ") == "(unset)");
  CHECK(valueOf(world, "2x") == "(unset)");
}

// Whether a file that is directly in `directory` is opened by anybody from here on.
class OpenWatch final {
public:
  explicit OpenWatch(kj::StringPtr directory) {
    int raw;
    KJ_SYSCALL(raw = inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    fd = kj::AutoCloseFd(raw);
    KJ_SYSCALL(inotify_add_watch(fd, directory.cStr(), IN_OPEN), directory);
  }
  bool hasSeenOne() {
    char events[4096];
    return read(fd, events, sizeof(events)) > 0;
  }

private:
  kj::AutoCloseFd fd;
};

TEST_CASE("users and environments are known without opening a file that has not changed") {
  // The time of a file may be ahead of time(2), by a tick.
  constexpr time_t AT_ONCE = -1;
  TestWorld world;
  world.writeEtc("environment", "EDITOR=vim\n");
  world.writeEtc("default/locale", "LANG=de_DE.UTF-8\n");
  auto& etc = world.programs->options.etcDirectory;
  UserDatabase users(etc, AT_ONCE);
  LoginEnvironments environments(etc, AT_ONCE);
  auto ask = [&]() { environments.of(KJ_REQUIRE_NONNULL(users.find("user"))); };
  OpenWatch watch(etc), watchDefaults(kj::str(etc, "/default"));
  ask();
  REQUIRE(watch.hasSeenOne());
  REQUIRE(watchDefaults.hasSeenOne());
  ask();
  CHECK_FALSE(watch.hasSeenOne());
  CHECK_FALSE(watchDefaults.hasSeenOne());
}

TEST_CASE("S42 what a workspace is configured with chooses no program of root's") {
  TestWorld world;
  LoginEnvironments environments("/nonexistent", 0);
  capnp::MallocMessageBuilder message;
  auto configuration = message.initRoot<rpc::Configuration>();
  constexpr kj::StringPtr NAMES[] = {"PATH"_kj, "LD_PRELOAD"_kj, "BASH_ENV"_kj, "PLAN"_kj};
  auto variables = configuration.initEnvironment(kj::size(NAMES));
  for (auto i : kj::indices(NAMES)) {
    variables[i].setName(NAMES[i]);
    variables[i].setValue("/home/user/x");
  }
  environments.configure(configuration.asReader().getEnvironment());
  auto isGiven = [&](kj::StringPtr user, kj::StringPtr name) {
    auto environment = environments.of(KJ_REQUIRE_NONNULL(world.programs->users.find(user)));
    return environment.find(name).orDefault(""_kj) == "/home/user/x";
  };
  for (auto name : NAMES) {
    INFO(name.cStr());
    CHECK(isGiven("user", name));
    CHECK(isGiven("root", name) == (name == "PLAN"));
  }
}

}  // namespace
}  // namespace bothy
