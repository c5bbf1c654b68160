#pragma once

#include <kj/io.h>
#include <kj/mutex.h>
#include <kj/refcount.h>

#include <deque>

namespace bothy {

// Closes descriptors on threads of their own.  close(2) of a socket with SO_LINGER lasts until the peer has taken all, for
// years if it likes, and whoever shares the open file description can set that.
class FarCloser final {
public:
  // Closes that may hang at once, each on a thread.  What comes beyond them waits, open.
  static constexpr kj::uint MAX_THREADS = 256;

  // `closing` is called on any of the threads.
  explicit FarCloser(void (*closing)(kj::AutoCloseFd fd))
      : work(kj::atomicRefcounted<Work>(closing)) {}
  // Those under way and those that wait are still closed.
  ~FarCloser() noexcept(false) {}
  KJ_DISALLOW_COPY_AND_MOVE(FarCloser);

  // Returns at once.
  void close(kj::AutoCloseFd fd);

private:
  struct State {
    std::deque<kj::AutoCloseFd> waiting;
    kj::uint threads = 0;
  };

  // Shared with the threads, which may outlive the object.
  struct Work final: public kj::AtomicRefcounted {
    explicit Work(void (*closing)(kj::AutoCloseFd fd)) : closing(closing) {}
    void (*const closing)(kj::AutoCloseFd fd);
    kj::MutexGuarded<State> state;
  };

  kj::Own<const Work> work;

  static void serve(const Work& work);
};

// A descriptor whose open file description others have or get: it is closed by a FarCloser.
class SharedFd final {
public:
  explicit SharedFd(kj::AutoCloseFd fd) : fd(kj::mv(fd)) {}
  static SharedFd duplicateOf(int fd);
  SharedFd(SharedFd&& other) noexcept : fd(kj::mv(other.fd)) {}
  ~SharedFd() noexcept(false);
  KJ_DISALLOW_COPY(SharedFd);

  int get() const { return fd; }

private:
  kj::AutoCloseFd fd;
};

}  // namespace bothy
