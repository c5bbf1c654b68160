#include "process/input-sink.h"

#include <errno.h>
#include <unistd.h>

#include <kj/debug.h>

#include "schema/limits.capnp.h"

namespace bothy {

namespace {

class InputSink final: public rpc::ByteSink::Server {
public:
  InputSink(kj::UnixEventPort& eventPort, kj::AutoCloseFd pipe)
      : eventPort(eventPort), pipe(kj::mv(pipe)) {}

  kj::Promise<void> write(WriteContext context) override {
    auto data = context.getParams().getData();
    KJ_REQUIRE(data.size() <= rpc::MAX_CHUNK_BYTES, "chunk too large", data.size());
    while (data.size() > 0) {
      requireOpen();
      ssize_t n = ::write(pipe.get(), data.begin(), data.size());
      if (n > 0) {
        data = data.slice(n, data.size());
      } else if (errno == EAGAIN) {
        co_await onWritable();
      } else if (errno != EINTR) {
        close();
      }
    }
  }

  kj::Promise<void> end(EndContext context) override {
    requireOpen();
    close();
    return kj::READY_NOW;
  }

private:
  kj::UnixEventPort& eventPort;
  kj::AutoCloseFd pipe;
  kj::Maybe<kj::UnixEventPort::FdObserver> observer;  // made when the pipe is first full

  void requireOpen() {
    if (pipe.get() < 0) {
      kj::throwFatalException(KJ_EXCEPTION(DISCONNECTED, "standard input is closed"));
    }
  }

  void close() {
    observer = nullptr;
    pipe = nullptr;
  }

  kj::Promise<void> onWritable() {
    if (observer == nullptr) {
      observer.emplace(eventPort, pipe.get(), kj::UnixEventPort::FdObserver::OBSERVE_WRITE);
    }
    return KJ_ASSERT_NONNULL(observer).whenBecomesWritable();
  }
};

}  // namespace

rpc::ByteSink::Client newInputSink(kj::UnixEventPort& eventPort, kj::AutoCloseFd pipe) {
  return kj::heap<InputSink>(eventPort, kj::mv(pipe));
}

}  // namespace bothy
