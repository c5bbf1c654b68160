#pragma once

#include <kj/async-io.h>
#include <kj/timer.h>
#include <kj/vector.h>

#include <deque>

namespace bothy {

// Spares that are kept.
constexpr size_t KEPT_SPARES = 1;
// After one was taken, before the next is dialled: the guest has the first call of whoever took it to answer.
constexpr kj::Duration SPARE_PAUSE = 50 * kj::MILLISECONDS;
// Dials under way at a time.
constexpr kj::uint MAX_DIALS = 8;
// How long a dial may take before another is begun beside it: a machine that boots, or has a new device, loses some.
constexpr kj::Duration SLOW_DIAL = 2 * kj::SECONDS;
// At most so many dials are repeated so; the rest of MAX_DIALS is left for new clients.
constexpr kj::uint MAX_REPEATED_DIALS = 4;
// After it nobody answers a dial any more.
constexpr kj::Duration DIAL_LIMIT = 20 * kj::SECONDS;

// Connections to one machine's agent that have said Hello and wait for their Grant (schema/lane.capnp).  Once one was
// taken, it keeps another ready.
//
// A dial that has begun is never dropped while it may still be answered: vhost-device-vsock 0.3.0 ends with the answer to one
// that is gone.  So a dial whose taker has given up becomes a spare, or is closed when it is through.
class LaneStock final: private kj::TaskSet::ErrorHandler {
public:
  using Dial = kj::Function<kj::Promise<kj::Own<kj::AsyncIoStream>>()>;

  // `timer` outlives it.  `dial` opens a stream to the agent's port.
  LaneStock(kj::Timer& timer, kj::Array<const kj::byte> secret, Dial dial);
  ~LaneStock() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(LaneStock);

  // Fails with DISCONNECTED when the agent cannot be reached at this moment.  No deadline of its own.
  kj::Promise<kj::Own<kj::AsyncIoStream>> take();

  // Closes those that wait: the agent did not answer on another.
  void dropSpares() { spares.clear(); }

  // How many connections wait.
  size_t size() const { return spares.size(); }

private:
  struct Spare {
    explicit Spare(kj::Own<kj::AsyncIoStream> stream);
    kj::Own<kj::AsyncIoStream> stream;
    bool isClosed = false;  // by the agent, or with its device
    kj::Promise<void> watch;
  };

  kj::Timer& timer;
  const kj::Array<const kj::byte> secret;
  Dial dial;
  std::deque<kj::Own<Spare>> spares;
  std::deque<kj::Own<kj::PromiseFulfiller<kj::Own<kj::AsyncIoStream>>>> takers;
  kj::uint dialling = 0;
  kj::uint slow = 0;  // of them, that nobody counts on any more
  bool isReplenishing = false;
  kj::TaskSet tasks;

  // Dials that may still be answered.
  kj::uint hopeful() const { return dialling - slow; }
  void startDial();
  // Makes a spare, in a while.
  void replenish();
  kj::Promise<void> dialOnce();
  kj::Promise<kj::Own<kj::AsyncIoStream>> dialAndGreet();
  void give(kj::Own<kj::AsyncIoStream> stream);
  void refuseOldest(kj::Exception&& why);
  void dropTakersWhoLeft();
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace bothy
