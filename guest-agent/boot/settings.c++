#include "boot/settings.h"

#include <kj/debug.h>
#include <sys/resource.h>
#include <unistd.h>

#include "boot/failure.h"
#include "boot/machine-file.h"
#include "schema/limits.capnp.h"

namespace bothy {
namespace {

constexpr rlim_t MAX_OPEN_FILES = 524288;
constexpr rlim_t AGENT_OPEN_FILES = 65536;
// What clients may make the agent have open is less than half of it: connections, terminals and programs always find room.
// A terminal and a program have at most three ends of pipes or a PTY, and two descriptors of a control group.
constexpr rlim_t PROGRAM_DESCRIPTORS = 5;
constexpr rlim_t WRITER_DESCRIPTORS = 2;
static_assert(WRITER_DESCRIPTORS * rpc::MAX_WRITERS +
                  PROGRAM_DESCRIPTORS * (rpc::MAX_PROCESSES + 2 * rpc::MAX_TERMINALS) <=
              AGENT_OPEN_FILES / 2);

}  // namespace

void applyKernelSettings() {
  kj::Maybe<kj::String> problem;
  for (auto& setting : KERNEL_SETTINGS) {
    if (::access(setting.path, F_OK) != 0) {
      continue;
    }
    KJ_IF_MAYBE (e,
                 kj::runCatchingExceptions([&]() { writeSetting(setting.path, setting.value); })) {
      problem = kj::str(e->getDescription());
    }
  }
  KJ_IF_MAYBE (text, problem) {
    failStage(kj::mv(*text));
  }
}

void raiseOpenFileLimit() {
  struct rlimit files = {AGENT_OPEN_FILES, MAX_OPEN_FILES};
  KJ_SYSCALL(::setrlimit(RLIMIT_NOFILE, &files), "the limit of open files");
}

}  // namespace bothy
