#pragma once

#include <kj/debug.h>
#include <kj/io.h>
#include <kj/time.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace bothy {

// For tests: a socket whose close(2) lasts LINGER, for its peer reads nothing of what was sent.
struct LingeringSocket {
  static constexpr int LINGER_SECONDS = 5;
  static constexpr kj::Duration LINGER = LINGER_SECONDS * kj::SECONDS;

  kj::AutoCloseFd socket = stream();
  kj::AutoCloseFd peer;

  LingeringSocket() {
    auto listener = stream();
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    KJ_SYSCALL(bind(listener, reinterpret_cast<sockaddr*>(&address), length));
    KJ_SYSCALL(listen(listener, 1));
    KJ_SYSCALL(getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length));
    KJ_SYSCALL(connect(socket, reinterpret_cast<sockaddr*>(&address), length));
    int accepted;
    KJ_SYSCALL(accepted = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
    peer = kj::AutoCloseFd(accepted);
    char much[64 * 1024] = {};
    while (send(socket, much, sizeof(much), MSG_DONTWAIT) > 0) {
    }
    const linger option = {1, LINGER_SECONDS};
    KJ_SYSCALL(setsockopt(socket, SOL_SOCKET, SO_LINGER, &option, sizeof(option)));
  }

private:
  static kj::AutoCloseFd stream() {
    int fd;
    KJ_SYSCALL(fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    return kj::AutoCloseFd(fd);
  }
};

}  // namespace bothy
