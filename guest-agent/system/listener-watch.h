#pragma once

#include <kj/async-unix.h>
#include <kj/function.h>
#include <kj/io.h>
#include <stdint.h>

#include <map>

namespace bothy {

// A TCP port on which somebody listens, in the agent's network namespace.
struct ListenedPort {
  uint16_t number;
  bool isLoopback;  // reached from the machine itself alone
  auto operator<=>(const ListenedPort&) const = default;
};

// Counts who listens where.
class ListenedPorts final {
public:
  // Whether nobody did before, or nobody does any more.
  bool add(ListenedPort port);
  bool remove(ListenedPort port);

private:
  std::map<ListenedPort, uint32_t> listeners;
};

// Ports beyond so many at a time are not told of.
constexpr size_t MAX_LISTENED_PORTS = 1024;

// Follows which ports programs open and close, by a BPF program at their control group that the kernel runs at each listen(2)
// and at the end of each such socket.
class ListenerWatch final {
public:
  enum class Change { OPENED, CLOSED };
  using Changed = kj::Function<void(Change, ListenedPort)>;
  // `group`: the path of the control group.  Does nothing where the kernel has no BPF.
  ListenerWatch(kj::UnixEventPort& eventPort, kj::StringPtr group, Changed changed);
  ~ListenerWatch() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(ListenerWatch);

private:
  class Ring;
  kj::UnixEventPort& eventPort;
  Changed changed;
  ListenedPorts ports;
  kj::Maybe<kj::Own<Ring>> ring;
  kj::AutoCloseFd program;
  kj::Promise<void> following = nullptr;

  void start(kj::StringPtr group);
  kj::Promise<void> follow();
};

}  // namespace bothy
