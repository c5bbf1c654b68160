#pragma once

#include <kj/io.h>
#include <kj/string.h>
#include <stdint.h>

namespace bothy {

// Who may take what of the machine, in control groups (README.md):
//
//   bothy/agent                        the agent
//   bothy/programs/{terminals,commands}/program-N
//   bothy/reserve/program-N            what is to run though `programs` has nothing left
//   bothy/services                     none yet
//
// Programs are in a cgroup namespace whose root is `programs`, and so is /sys/fs/cgroup: what the guest's root makes
// there, its own or a container engine's, is within the limits of all programs.

// What there is when the first program may start.
struct MachineSize {
  uint64_t memoryBytes;  // available
  uint64_t tasks;        // processes and threads that the kernel allows
  uint64_t ownTasks;     // of them, the kernel's own and the agent
  uint64_t outputBytes;  // that the agent may keep of outputs, see OutputBudget
};

// Of all programs together.
struct ProgramsLimits {
  uint64_t memoryBytes;
  uint64_t tasks;
};
// None: what there is is not known, and programs that could take nothing could not run.
kj::Maybe<ProgramsLimits> limitsOf(const MachineSize& size);

// What programs cannot use up.
// For the agent, beside what it keeps of outputs: it has some 4 MB at rest, the rest is to serve more clients.  With more it goes
// on: the kernel then takes memory from programs, and ends them if it must.
constexpr uint64_t AGENT_MEMORY = 16 * 1024 * 1024;  // bytes
// For a shell, ps(1), kill(1), and what else finds and ends programs.
constexpr uint64_t RESERVE_MEMORY = 16 * 1024 * 1024;  // bytes
constexpr uint64_t RESERVE_TASKS = 64;
// For the kernel, of what it counts for no control group: buffers of connections, caches, stacks of its threads.
constexpr uint64_t KERNEL_MEMORY = 16 * 1024 * 1024;  // bytes
// For the threads that the kernel makes as it needs them, and for processes that the agent starts for itself.
constexpr uint64_t KERNEL_TASKS = 192;
// A shell that does nothing takes some 150 KiB, most of it for the kernel.  So who forks without end is refused before all memory is
// used up and the kernel must end his processes one by one, which takes minutes in which nothing else goes on.
constexpr uint64_t LEAST_TASK_MEMORY = 256 * 1024;  // bytes
// Programs are not left with less than this part of the machine, however small it is.
constexpr uint64_t LEAST_PROGRAMS_SHARE = 2;

// The agent has ten times the weight of all programs, because it must be able to stop what burns the rest; who uses the
// reserve is to get an answer.
constexpr uint32_t AGENT_WEIGHT = 1000;
constexpr uint32_t RESERVE_WEIGHT = 500;

// The groups as the agent has them.  They are seen by it alone, or by whoever enters its cgroup namespace.
struct ControlGroups {
  kj::AutoCloseFd whole;                // the root of all
  kj::Maybe<kj::AutoCloseFd> programs;  // the cgroup namespace of programs, if there is one

  // "bothy".
  kj::String path() const;
};

// Makes them and moves the agent, which must have one thread, into its own.  Throws if programs cannot run in them.
ControlGroups makeControlGroups();

// Sets limits and weights; throws at the end if one could not be set.
void limitControlGroups(const ControlGroups& groups);

}  // namespace bothy
