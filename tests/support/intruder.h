#pragma once

#include <kj/array.h>
#include <kj/string.h>
#include <kj/vector.h>
#include <sys/types.h>

namespace bothy {

// What a program reaches that has taken the place of process `place`: its namespaces, root directory, user and groups, no capability,
// and no way to get one.  What confines the system calls of the one before (seccomp) it does not have, so it reaches no less.
//
// Needs root, and a process with one thread.
class Intruder final {
public:
  explicit Intruder(pid_t place) : place(place) {}

  // Which of `paths` it may open, list, change or connect to, each as "HOW PATH".
  kj::Vector<kj::String> reach(kj::ArrayPtr<const kj::String> paths) const;
  // Which of `processes` it may signal, trace or look into, each as "HOW PID".
  kj::Vector<kj::String> reach(kj::ArrayPtr<const pid_t> processes) const;
  // Which internet addresses, of this host and of others, it may send to, each as "connects ADDRESS"; and whether it may make packets.
  kj::Vector<kj::String> reachNetwork() const;

private:
  const pid_t place;

  template <typename Try>
  kj::Vector<kj::String> run(Try&& attempt) const;
};

}  // namespace bothy
