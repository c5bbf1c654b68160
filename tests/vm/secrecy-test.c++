// What a user has in the workspace is nowhere in what the host wrote.

#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include <kj/debug.h>
#include <kj/encoding.h>
#include <catch2/catch_test_macros.hpp>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "support/event-record.h"
#include "support/host-program.h"
#include "support/test-workspace.h"

namespace bothy {
namespace {

namespace fs = std::filesystem;

// A text that nothing has by chance, also as it may be written down.
struct Canary {
  Canary() {
    kj::byte random[16];
    KJ_REQUIRE(getrandom(random, sizeof(random), 0) == sizeof(random));
    text = kj::str("canary", kj::encodeHex(random));
    forms.add(kj::str(text));
    forms.add(kj::encodeHex(text.asBytes()));
    // Wherever it begins within a group of three, all but its ends stand in base64 as they are here.
    for (size_t shift = 0; shift < 3; shift++) {
      auto encoded = kj::encodeBase64(kj::str(kj::repeat('x', shift), text).asBytes());
      forms.add(kj::heapString(encoded.slice(4, encoded.size() - 4)));
    }
  }
  kj::String text;
  kj::Vector<kj::String> forms;

  bool isIn(const std::string& content) const {
    for (auto& form : forms) {
      if (memmem(content.data(), content.size(), form.begin(), form.size()) != nullptr) return true;
    }
    return false;
  }
};

std::string contentOf(const fs::path& path) {
  // By the block: disks are large.
  std::ostringstream content;
  content << std::ifstream(path, std::ios::binary).rdbuf();
  return std::move(content).str();
}

// Where on the host the canary is, one place a line, in whatever bothyd and what it starts may write.
kj::String placesOf(const Canary& canary, SupervisedHost& host) {
  kj::Vector<kj::String> places;
  size_t searched = 0;
  auto search = [&](const fs::path& path) {
    struct stat stats;
    if (lstat(path.c_str(), &stats) < 0 || !S_ISREG(stats.st_mode)) return;
    searched++;
    if (canary.isIn(contentOf(path))) places.add(kj::str(path.c_str()));
  };
  std::string root = host.directory().cStr();
  for (auto& directory : {root, std::string("/dev/shm"), std::string("/var/log/libvirt"),
                          std::string("/var/log/journal"), std::string("/run/log/journal"),
                          std::string("/var/lib/libvirt"), std::string("/run/libvirt")}) {
    if (!fs::exists(directory)) continue;
    for (auto& entry : fs::recursive_directory_iterator(
             directory, fs::directory_options::skip_permission_denied)) {
      if (entry.path().string().starts_with(root + "/images")) continue;  // root's, and read-only
      search(entry.path());
    }
  }
  // Cores and whatever else a program drops where it stands.
  for (auto& directory :
       {fs::path("/tmp"), fs::path("/var/tmp"), fs::path("/"), fs::current_path()}) {
    for (auto& entry : fs::directory_iterator(directory)) search(entry.path());
  }
  for (auto& entry : fs::directory_iterator("/proc")) {
    auto pid = entry.path().filename().string();
    if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
    search(entry.path() / "cmdline");
    search(entry.path() / "environ");
  }
  REQUIRE(searched > 10);
  return kj::strArray(places, "\n");
}

void expectNowhere(const Canary& canary, SupervisedHost& host, const char* when) {
  INFO(when);
  CHECK(std::string(placesOf(canary, host).cStr()) == "");
}

TEST_CASE("E01 S22 what a user writes, holds in memory and types is nowhere on the host's disk") {
  Canary canary;
  SupervisedHost host;

  // The search finds what is there.
  auto planted = kj::str(host.directory(), "/planted");
  std::ofstream(planted.cStr()) << "x" << canary.text.cStr() << "x";
  CHECK(std::string(placesOf(canary, host).cStr()) == planted.cStr());
  fs::remove(planted.cStr());

  TestWorkspace workspace(host);
  auto qemu = workspace.qemu();
  workspace.shell(kj::str("for i in $(seq 1000); do echo ", canary.text, "; done > ~/file; sync"));
  // In the memory of a program that goes on, its arguments and its environment.
  workspace.shell(kj::str("CANARY=", canary.text, " setsid sh -c 'sleep 1000; :' ", canary.text,
                          " </dev/null >/dev/null 2>&1 &"));
  TestTerminal terminal(workspace, {.argv = {}});
  terminal.type(kj::str("echo said ", canary.text, "\r"));
  terminal.waitForText(kj::str("said ", canary.text));
  workspace.shell("sync");
  expectNowhere(canary, host, "while it runs");

  host.restart(SIGKILL);
  host.wait(host.supervisor().listRequest().send().dropPipeline(), "the list");
  expectNowhere(canary, host, "after a kill of bothyd");
  workspace.reconnect();
  CHECK(workspace.shell("tail -n 1 ~/file") == canary.text);

  EventRecord events(host);
  KJ_SYSCALL(kill(qemu, SIGABRT));  // whose default is a core
  events.waitFor(rpc::Cause::VM_EXITED);
  expectNowhere(canary, host, "after QEMU aborted");

  auto startAgain = [&]() {
    workspace.startAgain();
    CHECK(workspace.shell("tail -n 1 ~/file") == canary.text);
  };
  startAgain();
  KJ_SYSCALL(kill(workspace.qemu(), SIGKILL));
  events.waitUntil(
      [&]() {
        auto all = events.all();
        size_t ends = 0;
        for (auto event : all) ends += event.getCause() == rpc::Cause::VM_EXITED;
        return ends == 2;
      },
      "QEMU's second end");
  expectNowhere(canary, host, "after QEMU was killed");

  startAgain();
  // In the memory that is saved.
  workspace.shell(kj::str("echo ", canary.text, " > /dev/shm/note; CANARY=", canary.text,
                          " setsid sh -c 'sleep 1000; :' </dev/null >/dev/null 2>&1 &"));
  auto call = [&](auto request, const char* what) {
    request.setName(workspace.name);
    return host.wait(request.send().dropPipeline(), what);
  };
  auto hibernated = call(host.supervisor().hibernateRequest(), "the hibernation");
  REQUIRE(hibernated.getOutcome().isHibernated());
  expectNowhere(canary, host, "while it is hibernated");
  auto resumed = call(host.supervisor().resumeRequest(), "the resume");
  REQUIRE(resumed.getOutcome().isResumed());
  expectNowhere(canary, host, "after its resume");
  workspace.reconnect();
  CHECK(workspace.shell("cat /dev/shm/note") == canary.text);
  // Killed while it is being saved.
  auto request = host.supervisor().hibernateRequest();
  request.setName(workspace.name);
  auto asked = request.send();
  host.timer.afterDelay(700 * kj::MILLISECONDS).wait(host.scope);
  host.restart(SIGKILL);
  expectNowhere(canary, host, "after a kill of bothyd while it was hibernated");
  for (auto state = host.stateOf(workspace.name);
       state == rpc::WorkspaceState::HIBERNATING || state == rpc::WorkspaceState::RESUMING;
       state = host.stateOf(workspace.name)) {
    host.timer.afterDelay(100 * kj::MILLISECONDS).wait(host.scope);
  }
  host.startWorkspace(workspace.name);
  expectNowhere(canary, host, "after what came of that");

  host.stopWorkspace(workspace.name);
  expectNowhere(canary, host, "after a stop");

  host.deleteWorkspace(workspace.name);
  expectNowhere(canary, host, "after a deletion");
}

// The modes of what is below a directory, as they must be: nothing is for others, but the way through.
void expectPrivate(const std::string& directory) {
  for (auto& entry : fs::recursive_directory_iterator(directory)) {
    struct stat stats;
    if (lstat(entry.path().c_str(), &stats) < 0) continue;  // gone meanwhile
    mode_t others = stats.st_mode & 0007;
    mode_t allowed = S_ISDIR(stats.st_mode) ? 0001 : S_ISLNK(stats.st_mode) ? 0007 : 0;
    INFO(entry.path().string() << " has mode " << std::oct << stats.st_mode);
    CHECK((others & ~allowed) == 0);
  }
}

TEST_CASE("S17 S22 no other user of the host may read what belongs to workspaces, in any state") {
  SupervisedHost host;
  std::string root = host.directory().cStr();
  auto expectAllPrivate = [&](const char* when) {
    INFO(when);
    expectPrivate(root + "/state");
    expectPrivate(root + "/run");
  };
  TestWorkspace workspace(host);
  expectAllPrivate("while it runs");
  host.restart(SIGKILL);
  host.wait(host.supervisor().listRequest().send().dropPipeline(), "the list");
  expectAllPrivate("after an adoption");
  host.stopWorkspace(workspace.name);
  expectAllPrivate("when it is stopped");
  auto resize = host.supervisor().resizeRequest();
  resize.setName(workspace.name);
  resize.setDiskMib(512);
  host.wait(resize.send().dropPipeline(), "the resize");
  expectAllPrivate("when it has grown");
  workspace.startAgain();
  EventRecord events(host);
  KJ_SYSCALL(kill(workspace.qemu(), SIGKILL));
  events.waitFor(rpc::Cause::VM_EXITED);
  expectAllPrivate("after QEMU was killed");
  host.deleteWorkspace(workspace.name);
  expectAllPrivate("after a deletion");
}

}  // namespace
}  // namespace bothy
