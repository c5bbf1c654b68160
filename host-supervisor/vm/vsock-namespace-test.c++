#include "vm/vsock-namespace.h"

#include <stdlib.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/io.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

bool isLocalWith(kj::StringPtr text) {
  char name[] = "/tmp/bothy-vsock-mode-XXXXXX";
  int raw;
  KJ_SYSCALL(raw = mkstemp(name));
  KJ_DEFER(unlink(name));
  kj::FdOutputStream(kj::AutoCloseFd(raw)).write(text.begin(), text.size());
  return isVsockOfNewNetworksLocal(name);
}

TEST_CASE("S24 a host whose new network namespaces have a vsock of their own is known") {
  CHECK(isLocalWith("local\n"));
  CHECK_FALSE(isLocalWith("global\n"));
  CHECK_FALSE(isLocalWith(""));
  CHECK_FALSE(isVsockOfNewNetworksLocal("/nonexistent"));
}

}  // namespace
}  // namespace bothy
