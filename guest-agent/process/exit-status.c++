#include "process/exit-status.h"

#include <sys/wait.h>

namespace bothy {

ExitStatus ExitStatus::fromWaitStatus(int status) {
  if (WIFEXITED(status)) return {Kind::EXITED, static_cast<uint8_t>(WEXITSTATUS(status))};
  if (WIFSIGNALED(status)) return {Kind::KILLED, static_cast<uint8_t>(WTERMSIG(status))};
  return {};
}

void ExitStatus::writeTo(rpc::ExitStatus::Builder builder) const {
  switch (kind) {
    case Kind::EXITED:
      builder.setExited(number);
      break;
    case Kind::KILLED:
      builder.setKilled(number);
      break;
    case Kind::LOST:
      builder.setLost();
      break;
    case Kind::TIMED_OUT:
      builder.setTimedOut();
      break;
  }
  KJ_IF_MAYBE (taken, usage) {
    auto told = builder.initUsage();
    told.setCpuMicros(taken->cpuMicros);
    told.setMemoryPeakBytes(taken->memoryPeakBytes);
    told.setOutOfMemory(taken->outOfMemory);
  }
}

}  // namespace bothy
