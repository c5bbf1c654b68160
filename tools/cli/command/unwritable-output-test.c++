#include <fcntl.h>
#include <unistd.h>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "command/command-test-world.h"
#include "console/failure.h"

namespace bothy {
namespace {

using Words = std::initializer_list<kj::StringPtr>;

// Calls that print a result, of every command.
const Words CALLS[] = {{"create", "--json", "new"},
                       {"ls"},
                       {"ls", "--json"},
                       {"shell", "--list", "demo"},
                       {"exec", "--json", "demo", "talk"},
                       {"cp", "--json", "/proc/self/status", "demo:/f"},
                       {"start", "--json", "idle"},
                       {"stop", "--json", "demo"},
                       {"rm", "-f", "--json", "demo"},
                       {"resize", "--json", "demo", "--disk", "8G"},
                       {"pause", "--json", "demo"},
                       {"expire", "--json", "idle"},
                       {"hibernate", "--json", "demo"},
                       {"resume", "--json", "demo"},
                       {"setup", "demo"},
                       {"setup", "--json", "demo"},
                       {"session", "create", "--exec", "demo"},
                       {"session", "ls"},
                       {"session", "ls", "--json"},
                       {"tier", "ls"},
                       {"tier", "ls", "--json"},
                       {"usage"},
                       {"usage", "--json"},
                       {"tier", "set", "demo", "pro"},
                       {"why", "demo"},
                       {"why", "--json", "demo"},
                       {"wake", "demo"},
                       {"wake", "--json", "--for", "1h", "demo"},
                       {"idle", "demo"},
                       {"capacity"},
                       {"user", "ensure", "alice"},
                       {"user", "ensure", "--json", "alice"},
                       {"user", "ls"},
                       {"user", "ls", "--json"},
                       {"user", "rm", "-f", "--json", "alice"},
                       {"events"},
                       {"events", "--follow", "--json"},
                       {"doctor"},
                       {"version"},
                       {"version", "--json"},
                       {"up", "--help"},
                       {"help"},
                       {"help", "exit-codes"},
                       {"help", "--man"},
                       {"completion", "bash"},
                       {"completion", "--", "e"},
                       {"--help"},
                       {"--version"}};

struct Ended {
  int code;
  kj::String errors;
};

// How the call ends whose results go to `fd`.
Ended endOf(Words words, int fd) {
  CommandTestWorld world;
  world.printTo(fd);
  world.supervisor.lastEvent = 1;
  world.start(words);
  if (*words.begin() == "events") world.supervisor.tellEvents(1);
  auto code = world.wait();
  return {code, world.errors()};
}

int failureCodeOf(kj::StringPtr name) {
  for (auto& command : allCommands()) {
    if (command->traits.name == name) return command->traits.failureCode;
  }
  return FAILURE;
}

TEST_CASE("P16 a command whose results nobody reads ends as by SIGPIPE, without a word") {
  int fds[2];
  KJ_SYSCALL(pipe2(fds, O_CLOEXEC));
  kj::AutoCloseFd writeEnd(fds[1]);
  close(fds[0]);
  for (auto& words : CALLS) {
    INFO(kj::strArray(kj::arrayPtr(words.begin(), words.size()), " ").cStr());
    auto ended = endOf(words, writeEnd);
    CHECK(ended.code == OUTPUT_CLOSED);
    CHECK(ended.errors == "");
  }
}

TEST_CASE("P16 a command whose results find no room says so and fails") {
  int fd;
  KJ_SYSCALL(fd = open("/dev/full", O_WRONLY | O_CLOEXEC));
  kj::AutoCloseFd full(fd);
  for (auto& words : CALLS) {
    INFO(kj::strArray(kj::arrayPtr(words.begin(), words.size()), " ").cStr());
    auto ended = endOf(words, full);
    CHECK(ended.code == failureCodeOf(*words.begin()));
    CHECK(ended.errors == "bothy: cannot write standard output: No space left on device\n");
  }
}

TEST_CASE("P16 every command is tried with an output that cannot be written") {
  for (auto& command : allCommands()) {
    bool isTried = false;
    for (auto& words : CALLS) isTried = isTried || *words.begin() == command->traits.name;
    INFO(command->traits.name.cStr());
    CHECK(isTried);
  }
}

}  // namespace
}  // namespace bothy
