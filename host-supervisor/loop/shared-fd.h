#pragma once

#include <kj/io.h>
#include <kj/mutex.h>
#include <kj/refcount.h>
#include <sys/types.h>

#include <deque>
#include <map>

namespace bothy {

// Closes descriptors on threads of their own.  close(2) of a socket with SO_LINGER lasts until the peer has taken all, for
// years if it likes, and whoever shares the open file description can set that; so does that of a Unix socket in whose queue
// such a one is.
//
// Each descriptor has an owner, the user whose programs can make its close last.  What hangs of one owner leaves no descriptor of
// another's open.
class FarCloser final {
public:
  // Closes of one owner that may hang at once, each on a thread.  What comes beyond them waits, open.
  static constexpr kj::uint MAX_THREADS = 32;
  // Descriptors of one owner that may wait for their close.  Above it nothing is taken in from that owner; see isClogged().
  static constexpr size_t MAX_UNCLOSED = 64;
  // The same of all owners together.
  static constexpr size_t MAX_UNCLOSED_IN_ALL = 4096;
  // A thread that has nothing to close waits so long for more of its owner, one of each and so few in all: to make one costs as much as a
  // client's message, and each client's first call closes several.
  static constexpr kj::Duration IDLE_LIMIT = 1 * kj::SECONDS;
  static constexpr kj::uint MAX_IDLE_THREADS = 8;

  // `closing` is called on any of the threads.
  explicit FarCloser(void (*closing)(kj::AutoCloseFd fd))
      : work(kj::atomicRefcounted<Work>(closing)) {}
  // Those under way and those that wait are still closed.
  ~FarCloser() noexcept(false) {}
  KJ_DISALLOW_COPY_AND_MOVE(FarCloser);

  // Returns at once.
  void close(kj::AutoCloseFd fd, uid_t owner) const;

  // Whether more descriptors than the limit wait for their close.  True for a moment also where many come at once and none hangs.
  bool isClogged(uid_t owner) const;
  bool isClogged() const;

private:
  struct Backlog {
    std::deque<kj::AutoCloseFd> waiting;
    kj::uint threads = 0;
    kj::uint idle = 0;    // of them, that wait for more
    size_t unclosed = 0;  // those that wait, and those whose close is under way
  };
  struct State {
    std::map<uid_t, Backlog> owners;  // of those with threads or descriptors
    size_t unclosed = 0;
    kj::uint idle = 0;
  };

  // Shared with the threads, which may outlive the object.
  struct Work final: public kj::AtomicRefcounted {
    explicit Work(void (*closing)(kj::AutoCloseFd fd)) : closing(closing) {}
    void (*const closing)(kj::AutoCloseFd fd);
    kj::MutexGuarded<State> state;
  };

  kj::Own<const Work> work;

  static void serve(const Work& work, uid_t owner);
  // None: nothing came.
  static kj::Maybe<kj::AutoCloseFd> next(const Work& work, uid_t owner);
};

// The one that closes what SharedFds have.
const FarCloser& sharedCloser();

// A descriptor whose open file description others have or get: it is closed by sharedCloser().
class SharedFd final {
public:
  // `owner`: see FarCloser.
  SharedFd(kj::AutoCloseFd fd, uid_t owner) : fd(kj::mv(fd)), owner(owner) {}
  static SharedFd duplicateOf(int fd, uid_t owner);
  SharedFd(SharedFd&& other) noexcept : fd(kj::mv(other.fd)), owner(other.owner) {}
  ~SharedFd() noexcept(false);
  KJ_DISALLOW_COPY(SharedFd);

  // With the same owner.
  SharedFd duplicate() const { return duplicateOf(fd, owner); }
  int get() const { return fd; }
  void setOwner(uid_t user) { owner = user; }

private:
  kj::AutoCloseFd fd;
  uid_t owner;
};

}  // namespace bothy
