#include "client/byte-queue.h"

#include <kj/string.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

TEST_CASE("bytes come out in the order they went in") {
  kj::EventLoop loop;
  kj::WaitScope scope(loop);
  ByteQueue queue;
  queue.push("abc"_kj.asBytes());
  queue.push("de"_kj.asBytes());
  CHECK(kj::str(queue.take(4).wait(scope).asChars()) == "abcd");
  CHECK(kj::str(queue.take(4).wait(scope).asChars()) == "e");
}

TEST_CASE("an empty queue makes its consumer wait, a finished one does not") {
  kj::EventLoop loop;
  kj::WaitScope scope(loop);
  ByteQueue queue;
  auto taken = queue.take(10);
  CHECK_FALSE(taken.poll(scope));
  queue.push("x"_kj.asBytes());
  CHECK(taken.wait(scope).size() == 1);
  queue.finish();
  CHECK(queue.take(10).wait(scope).size() == 0);
}

TEST_CASE("a full queue makes its producer wait until enough was taken") {
  kj::EventLoop loop;
  kj::WaitScope scope(loop);
  ByteQueue queue;
  queue.push("abcd"_kj.asBytes());
  auto below = queue.whenBelow(3);
  CHECK_FALSE(below.poll(scope));
  queue.take(1).wait(scope);
  CHECK_FALSE(below.poll(scope));
  queue.take(1).wait(scope);
  below.wait(scope);

  auto empty = queue.whenBelow(0);
  CHECK_FALSE(empty.poll(scope));
  queue.take(10).wait(scope);
  empty.wait(scope);
}

}  // namespace
}  // namespace bothy
