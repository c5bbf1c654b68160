#pragma once

#include <kj/async-io.h>
#include <kj/async-unix.h>
#include <kj/io.h>

namespace bothy {

// Standard input and output without O_NONBLOCK: that flag belongs to the open file, which is shared
// with the caller's shell and with whatever runs beside us, and would make their reads and writes fail.
// A descriptor is asked first whether it would block (poll), so any kind of file works: terminals,
// pipes, sockets, regular files, devices.
//
// They do not own the descriptor.

// The end is that of a file, a closed pipe or a terminal that hung up.  What cannot be read fails, with inputClosed() where
// the caller has closed the stream, else with another failure().
class StandardInput final: public kj::AsyncInputStream {
public:
  StandardInput(kj::UnixEventPort& port, int fd);

  kj::Promise<size_t> tryRead(void* buffer, size_t minBytes, size_t maxBytes) override;

private:
  kj::Promise<void> whenReadable();

  int fd;
  kj::Maybe<kj::Own<kj::UnixEventPort::FdObserver>> observer;  // of what epoll can watch
};

// Writes fail with outputClosed() once nobody reads (EPIPE, EIO of a terminal that hung up), and with another failure()
// for every other reason, a full disk among them.
class StandardOutput final: public kj::AsyncOutputStream {
public:
  StandardOutput(kj::UnixEventPort& port, int fd);

  kj::Promise<void> write(const void* buffer, size_t size) override;
  kj::Promise<void> write(kj::ArrayPtr<const kj::ArrayPtr<const kj::byte>> pieces) override;
  kj::Promise<void> whenWriteDisconnected() override { return kj::NEVER_DONE; }

private:
  kj::Promise<void> whenWritable();

  int fd;
  kj::Maybe<kj::Own<kj::UnixEventPort::FdObserver>> observer;
};

// The same for messages and results, without an event loop: waits until all is written.  So nothing is kept back that
// could fail to be written later.
class MessageOutput final: public kj::OutputStream {
public:
  explicit MessageOutput(int fd) : fd(fd) {}

  void write(const void* buffer, size_t size) override;

private:
  int fd;
};

}  // namespace bothy
