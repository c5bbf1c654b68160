#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "process/child-process.h"
#include "process/test-world.h"

namespace bothy {

// Programs, and what their control groups are like.
struct TreesWorld: public TestWorld {
  kj::AutoCloseFd null{open("/dev/null", O_RDWR | O_CLOEXEC)};

  kj::Own<ChildProcess> start(kj::StringPtr script, kj::Maybe<int> output = nullptr) {
    SpawnRequest request = {
        .programs = kj::arr(kj::str("/bin/sh")),
        .arguments = kj::arr(kj::str("sh"), kj::str("-c"), kj::str(script)),
        .environment = kj::arr(kj::str("PATH=/usr/bin:/bin")),
        .workingDirectory = kj::str("/"),
        .credentials = nullptr,
        .standardFds = {null.get(), output.orDefault(null.get()), null.get()},
        .cgroupFd = nullptr,
    };
    auto outcome = ChildProcess::start(*programs, kj::mv(request)).wait(scope);
    REQUIRE(outcome.is<kj::Own<ChildProcess>>());
    return kj::mv(outcome.get<kj::Own<ChildProcess>>());
  }
  // Runs a program to its end.
  bool runs() { return start("exit 7")->onExit().wait(scope).number == 7; }

  // Where the groups of commands are.
  kj::String root() { return kj::str(KJ_ASSERT_NONNULL(cgroupRoot), '/', COMMAND_GROUPS); }
  kj::Vector<kj::String> groups() {
    kj::Vector<kj::String> result;
    auto* entries = opendir(root().cStr());
    KJ_REQUIRE(entries != nullptr);
    KJ_DEFER(closedir(entries));
    while (auto* entry = readdir(entries)) {
      if (kj::StringPtr(entry->d_name).startsWith("program-")) {
        result.add(kj::str(root(), "/", entry->d_name));
      }
    }
    return result;
  }
  // Of the only program.
  kj::String groupOf(const ChildProcess& child) {
    for (auto& group : groups()) {
      if (read(kj::str(group, "/cgroup.procs")) == kj::str(child.pid(), '\n')) return kj::mv(group);
    }
    KJ_FAIL_REQUIRE("it has no group");
  }
  static kj::String read(kj::StringPtr path) {
    int fd = open(path.cStr(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return kj::String();
    return kj::FdInputStream(kj::AutoCloseFd(fd)).readAllText();
  }
  static bool write(kj::StringPtr path, kj::StringPtr text) {
    int fd = open(path.cStr(), O_WRONLY | O_CLOEXEC);
    if (fd < 0) return false;
    kj::AutoCloseFd owned(fd);
    return ::write(fd, text.begin(), text.size()) == ssize_t(text.size());
  }
  // Freezes all in it; false if it cannot be.
  bool freezes(kj::StringPtr group) {
    if (!write(kj::str(group, "/cgroup.freeze"), "1")) return false;
    auto events = kj::str(group, "/cgroup.events");
    await([&]() { return strstr(read(events).cStr(), "frozen 1") != nullptr; });
    return true;
  }
  // Kills all that are in groups, and children that wait in them therefore.
  void empty() {
    for (auto& group : groups()) {
      write(kj::str(group, "/cgroup.kill"), "1");
      auto events = kj::str(group, "/cgroup.events");
      await([&]() { return strstr(read(events).cStr(), "populated 1") == nullptr; });
    }
  }
  bool signal(ChildProcess& child, int number) {
    return child.signal(number, rpc::SignalScope::TREE).wait(scope);
  }
  // Turns the loop until the background work of what ended is through.
  void settle() {
    for (int i = 0; i < 10; i++) scope.poll();
  }
};

#define WITH_CGROUPS(world) \
  TreesWorld world;         \
  if (world.cgroupRoot == nullptr) SKIP("no cgroup v2 that this user may write")

}  // namespace bothy
