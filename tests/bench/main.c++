// tools/bench: measures a real workspace against what the same machine does without us.

#include <kj/debug.h>
#include <kj/main.h>
#include <sys/stat.h>

#include "bench/boot-floor.h"
#include "bench/copy-figures.h"
#include "bench/disk-figures.h"
#include "bench/echo-figures.h"
#include "bench/exec-figures.h"
#include "bench/figures.h"
#include "bench/guest-disk-figures.h"
#include "bench/guest-peer.h"
#include "bench/idle-figures.h"
#include "bench/keeper-memory.h"
#include "bench/key-figures.h"
#include "bench/lane-figures.h"
#include "bench/metering-figures.h"
#include "bench/sleep-figures.h"
#include "bench/store-figures.h"
#include "bench/supervisor-figures.h"
#include "bench/terminal-figures.h"
#include "support/test-workspace.h"

namespace bothy {
namespace {

constexpr uint32_t MEMORY_MIB = 512;
constexpr uint BOOTS = 5;
constexpr double KIBIBYTE = 1024;
constexpr double MEBIBYTE = 1024 * KIBIBYTE;

class Bench final {
public:
  explicit Bench(kj::ProcessContext& context) : context(context) {}

  kj::MainFunc getMain() {
    return kj::MainBuilder(context, "bothy-bench",
                           "Measures a workspace against the floor of the same machine and run.")
        .addOption(
            {"json"},
            [this]() {
              asJson = true;
              return true;
            },
            "Print JSON.")
        .addOptionWithArg(
            {"only"},
            [this](kj::StringPtr group) -> kj::MainBuilder::Validity {
              for (auto known : GROUPS) {
                if (known == group) {
                  only = kj::str(group);
                  return true;
                }
              }
              return kj::str("the groups are: ", kj::strArray(GROUPS, ", "));
            },
            "GROUP",
            "Measure one group of rows: boot, exec, echo, file, lane, size, disk, store, "
            "supervisor, keys, idle, sleep or terminal.")
        .callAfterParsing([this]() {
          measure();
          context.exitInfo(asJson ? json(rows) : table(rows));
          return true;
        })
        .build();
  }

private:
  kj::ProcessContext& context;
  static constexpr kj::StringPtr GROUPS[] = {
      "boot"_kj,  "exec"_kj,       "echo"_kj, "file"_kj, "lane"_kj,  "size"_kj,    "disk"_kj,
      "store"_kj, "supervisor"_kj, "keys"_kj, "idle"_kj, "sleep"_kj, "terminal"_kj};

  bool asJson = false;
  kj::Maybe<kj::String> only;
  kj::Vector<Row> rows;

  bool wants(kj::StringPtr group) {
    KJ_IF_MAYBE (o, only) {
      return *o == group;
    }
    return true;
  }

  Row& add(kj::StringPtr name, kj::StringPtr unit, kj::Maybe<double> goal = nullptr,
           Row::Better better = Row::Better::LOWER) {
    return addRow(rows, name, unit, goal, better);
  }

  void progress(kj::StringPtr what) {
    if (!asJson) context.warning(what);
  }

  void measure() {
    if (wants("disk")) {
      progress("disks");
      measureDisks(rows);
      progress("disks in a guest");
      measureGuestDisks(rows);
    }
    if (wants("keys")) {
      progress("keys");
      measureKeys(rows);
    }
    if (wants("store")) {
      progress("commits");
      measureStore(rows);
      measureMetering(rows);
    }
    if (wants("supervisor")) {
      progress("a supervisor of many workspaces");
      measureSupervisor(rows);
    }
    if (wants("idle")) {
      progress("workspaces that nobody uses");
      measureIdleRules(rows);
    }
    if (wants("lane")) {
      add("bothyd memory, a lane", "KiB", 1.0).samples.add(keeperBytesOfLane() / KIBIBYTE);
    }
    if (only != nullptr &&
        (wants("disk") || wants("store") || wants("supervisor") || wants("keys") || wants("idle")))
      return;
    SupervisedHost host;
    if (wants("boot")) boots(host);
    if (wants("sleep")) {
      progress("pauses and hibernations");
      measureSleep(rows, host);
      if (only != nullptr) return;
    }
    TestWorkspace workspace(host, {.name = "bench", .memoryMib = MEMORY_MIB, .diskMib = 1024});
    if (wants("size")) sizes(workspace);
    GuestPeer peer(workspace);
    if (wants("exec")) {
      progress("exec");
      measureExec(rows, workspace, peer);
    }
    if (wants("echo")) {
      progress("echo");
      measureEchoes(rows, workspace, peer);
    }
    if (wants("file")) {
      progress("copies");
      measureCopies(rows, workspace, peer);
    }
    if (wants("lane")) {
      progress("lanes");
      // Behind what needs the peer, which ends with the workspace's lane.
      measureLanes(rows, workspace);
    }
    if (wants("terminal")) {
      progress("terminals");
      // Last: what many have written stays in the agent.
      measureTerminals(rows, workspace);
    }
  }

  void firstPrompt(TestWorkspace& workspace) {
    TestTerminal terminal(workspace, {});
    terminal.waitForText("$");
  }

  void boots(SupervisedHost& host) {
    auto& create = add("create to first prompt", "ms", 1.15);
    auto& start = add("start to first prompt", "ms", 1.15);
    for (uint i = 0; i < BOOTS; ++i) {
      progress(kj::str("boot ", i + 1, " of ", BOOTS));
      double floor = bootFloorMillis(host.directory(), MEMORY_MIB);
      create.floor.add(floor);
      start.floor.add(floor);
      auto name = kj::str("boot-", i);
      kj::Maybe<kj::Own<TestWorkspace>> workspace;
      create.samples.add(milliseconds([&]() {
        auto made = kj::heap<TestWorkspace>(
            host, TestWorkspace::Options{.name = name, .memoryMib = MEMORY_MIB, .diskMib = 1024});
        firstPrompt(*made);
        workspace = kj::mv(made);
      }));
      host.stopWorkspace(name);
      start.samples.add(milliseconds([&]() {
        KJ_ASSERT_NONNULL(workspace)->startAgain();
        firstPrompt(*KJ_ASSERT_NONNULL(workspace));
      }));
      host.deleteWorkspace(name);
    }
  }

  void sizes(TestWorkspace& workspace) {
    auto file = [&](kj::StringPtr name, kj::StringPtr path, kj::Maybe<double> goal) {
      struct stat stats;
      KJ_SYSCALL(stat(path.cStr(), &stats), path);
      add(name, "MiB", goal).samples.add(stats.st_size / MEBIBYTE);
    };
    add("agent memory, idle", "MiB", 4.0)
        .samples.add(workspace.health().getAgentMemoryBytes() / MEBIBYTE);
    // The design says about 4, which it has reached: this is how far it may grow.
    file("agent binary", BOTHY_AGENT ""_kj, 5.0);
    file("initramfs", BOTHY_IMAGES "/base/initramfs.cpio"_kj, nullptr);
    file("root image", BOTHY_IMAGES "/base/root.erofs"_kj, nullptr);
    file("kernel", BOTHY_IMAGES "/base/vmlinux"_kj, nullptr);
  }
};

}  // namespace
}  // namespace bothy

KJ_MAIN(bothy::Bench)
