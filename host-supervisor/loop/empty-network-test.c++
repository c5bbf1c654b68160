#include "loop/empty-network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/io.h>
#include <kj/thread.h>
#include <catch2/catch_test_macros.hpp>

#include <filesystem>
#include <fstream>
#include <string>

#include "loop/testing/without-admin.h"

namespace bothy {
namespace {

std::string network() {
  return std::filesystem::read_symlink("/proc/thread-self/ns/net").string();
}

template <typename Func>
void onThread(Func func) {
  kj::Thread thread([&]() { func(); });
}

// errno of a connection, or 0.
template <typename Address>
int errorOfConnecting(const Address& address, socklen_t size) {
  int raw;
  auto generic = reinterpret_cast<const sockaddr*>(&address);
  KJ_SYSCALL(raw = socket(generic->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  kj::AutoCloseFd fd(raw);
  return connect(fd, generic, size) == 0 ? 0 : errno;
}

#define NEEDS_ROOT() \
  if (getuid() != 0) SKIP("only root makes network namespaces")

TEST_CASE("S20 a thread in an empty network reaches nobody but by the file system") {
  NEEDS_ROOT();
  auto before = network();
  char directory[] = "/tmp/bothy-network-XXXXXX";
  KJ_REQUIRE(mkdtemp(directory) != nullptr);
  KJ_DEFER(std::filesystem::remove_all(directory));
  auto listen = [](const sockaddr_un& address, socklen_t size) {
    int raw;
    KJ_SYSCALL(raw = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    kj::AutoCloseFd fd(raw);
    KJ_SYSCALL(bind(fd, reinterpret_cast<const sockaddr*>(&address), size));
    KJ_SYSCALL(::listen(fd, 8));
    return fd;
  };
  sockaddr_un named = {}, abstract = {};
  named.sun_family = abstract.sun_family = AF_UNIX;
  auto path = kj::str(directory, "/socket");
  memcpy(named.sun_path, path.begin(), path.size());
  memcpy(abstract.sun_path + 1, path.begin(), path.size());
  socklen_t abstractSize = offsetof(sockaddr_un, sun_path) + 1 + path.size();
  auto byName = listen(named, sizeof(named));
  auto byAbstract = listen(abstract, abstractSize);
  CHECK(errorOfConnecting(abstract, abstractSize) == 0);

  sockaddr_in loopback = {};
  loopback.sin_family = AF_INET;
  loopback.sin_port = htons(1);
  loopback.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string first;
  onThread([&]() {
    enterEmptyNetwork();
    first = network();
    CHECK(errorOfConnecting(loopback, sizeof(loopback)) == ENETUNREACH);
    CHECK(errorOfConnecting(named, sizeof(named)) == 0);
    CHECK(errorOfConnecting(abstract, abstractSize) == ECONNREFUSED);
    // And another one at each call.
    enterEmptyNetwork();
    CHECK(network() != first);
  });
  CHECK(first != before);
  CHECK(network() == before);
}

TEST_CASE("S20 who may not make a network namespace learns what is missing") {
  NEEDS_ROOT();
  onThread([&]() {
    WithoutAdmin without;
    kj::String failure;
    KJ_IF_MAYBE (exception, kj::runCatchingExceptions([&]() { enterEmptyNetwork(); })) {
      failure = kj::str(exception->getDescription());
    }
    INFO(failure.cStr());
    CHECK(strstr(failure.cStr(), "network namespace") != nullptr);
    CHECK(strstr(failure.cStr(), "CAP_SYS_ADMIN") != nullptr);
  });
}

}  // namespace
}  // namespace bothy
