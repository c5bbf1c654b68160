#pragma once

#include <stdint.h>
#include <sys/resource.h>

namespace bothy {

// A resource limit with which every program starts, whatever those of the agent are.
struct ProgramLimit {
  int resource;
  // As prlimit64(2) reads it.
  struct Value {
    uint64_t soft;
    uint64_t hard;
  } value;
};

constexpr uint64_t NO_LIMIT = ~uint64_t(0);
constexpr uint64_t PROGRAM_STACK_BYTES = 8 * 1024 * 1024;

// Those of a login on Debian, as far as the kernel does not give them to its first process, and the agent so to all of
// its own, anyway.  512 KiB or so of open files would do, but the soft limit must stay small: old programs close every
// number up to it, and select(2) takes none above 1023.
constexpr ProgramLimit PROGRAM_LIMITS[] = {
    {RLIMIT_NOFILE, {1024, 1024 * 1024}},
    {RLIMIT_STACK, {PROGRAM_STACK_BYTES, NO_LIMIT}},
    {RLIMIT_CORE, {0, NO_LIMIT}},
    {RLIMIT_MEMLOCK, {8 * 1024 * 1024, 8 * 1024 * 1024}},
};

// Of a program whose cgroup limits its processes by itself.
constexpr ProgramLimit NO_PROCESS_LIMIT = {RLIMIT_NPROC, {NO_LIMIT, NO_LIMIT}};

// What execve(2) takes of argv and environment: of one text with its NUL (MAX_ARG_STRLEN), and of all of them with 8
// bytes a text (a quarter of the stack).
constexpr uint64_t MAX_TEXT_BYTES = 128 * 1024;
constexpr uint64_t MAX_TEXTS_BYTES = PROGRAM_STACK_BYTES / 4;

}  // namespace bothy
