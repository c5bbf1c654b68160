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
  // Some that began or ended were not told of: nothing is known of any.
  void beginAnew() { listeners.clear(); }

private:
  std::map<ListenedPort, uint32_t> listeners;
};

// Where reports are missing in a row of them, of which the kernel leaves out what it finds no room for.
class MissingReports final {
public:
  // The row has bytes up to `written`, and room for no other report.
  void noteFull(uint64_t written) { place = written; }
  // Whether some are missing before the report at `position`: once.
  bool areBefore(uint64_t position);

private:
  kj::Maybe<uint64_t> place;
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
