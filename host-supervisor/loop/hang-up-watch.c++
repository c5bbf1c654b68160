#include "loop/hang-up-watch.h"

#include <kj/debug.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

namespace bothy {
namespace {

// No entry's.
constexpr uint64_t END = kj::maxValue;

kj::AutoCloseFd newEpoll() {
  int fd;
  KJ_SYSCALL(fd = epoll_create1(EPOLL_CLOEXEC));
  return kj::AutoCloseFd(fd);
}

kj::AutoCloseFd newEvent() {
  int fd;
  KJ_SYSCALL(fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  return kj::AutoCloseFd(fd);
}

void add(int epoll, int fd, uint32_t events, uint64_t number) {
  epoll_event event = {};
  event.events = events;
  event.data.u64 = number;
  KJ_SYSCALL(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
}

}  // namespace

HangUpWatch::HangUpWatch()
    : epoll(newEpoll()),
      end(newEvent()),
      telling(tell().eagerlyEvaluate([](kj::Exception&& e) {
        KJ_LOG(FATAL, "no hang-up is heard of any more", e.getDescription());
      })),
      thread([this]() { listen(); }) {
  add(epoll, end, EPOLLIN, END);
}

HangUpWatch::~HangUpWatch() noexcept(false) {
  eventfd_write(end, 1);
}

HangUpWatch::Entry::Entry(HangUpWatch& watch, int fd, Listener& listener)
    : watch(watch), fd(fd), number(watch.next++) {
  watch.listeners.insert(number, &listener);
  KJ_ON_SCOPE_FAILURE(watch.listeners.erase(number));
  // Hang-ups and failures are told whatever is asked for.  Of the kernel's vsock, the peer's close is neither: it is an EPOLLRDHUP
  // (vsock_poll() of Linux).
  add(watch.epoll, fd, EPOLLRDHUP | EPOLLONESHOT, number);
}

HangUpWatch::Entry::~Entry() noexcept(false) {
  watch.listeners.erase(number);
  KJ_SYSCALL(epoll_ctl(watch.epoll, EPOLL_CTL_DEL, fd, nullptr)) {
    break;
  }
}

kj::Promise<void> HangUpWatch::tell() {
  for (;;) {
    const auto number = co_await heard.take();
    KJ_IF_MAYBE (listener, listeners.find(number)) (*listener)->onHangUp();
  }
}

void HangUpWatch::listen() const {
  for (;;) {
    epoll_event event;
    KJ_SYSCALL(epoll_wait(epoll, &event, 1, -1));
    if (event.data.u64 == END) return;
    heard.put(event.data.u64);
  }
}

}  // namespace bothy
