#include <string.h>

#include <catch2/catch_test_macros.hpp>

#include <kj/debug.h>

#include "schema/limits.capnp.h"
#include "user/user-id.h"
#include "workspace/workspace-id.h"

namespace bothy {
namespace {

struct Counting final: public Randomness {
  kj::byte next = 0;
  void fill(kj::ArrayPtr<kj::byte> bytes) override {
    for (auto& byte : bytes) byte = ++next;
  }
};

TEST_CASE("a user is called by visible characters, and not by too many") {
  for (auto text :
       {"a"_kj, "4711"_kj, "auth0|5f7c8ec7c33c6c004bbafe82"_kj, "A/../%2e:\\\"'$(x)`"_kj}) {
    INFO(text.cStr());
    CHECK(KJ_ASSERT_NONNULL(UserId::parse(text)).text() == text);
  }
  for (auto text : {""_kj, " "_kj, "a b"_kj, "a\n"_kj, "\x1b[2J"_kj, "\x7f"_kj, "ä"_kj}) {
    CHECK(UserId::parse(text) == nullptr);
  }
  CHECK(UserId::parse(kj::heapString(rpc::MAX_USER_ID_BYTES)) == nullptr);  // NULs
  auto longest = kj::str(kj::repeat('x', rpc::MAX_USER_ID_BYTES));
  CHECK(UserId::parse(longest) != nullptr);
  CHECK(UserId::parse(kj::str(longest, 'x')) == nullptr);
  CHECK(noUserId("a\x1b") == "user is 'a\\x1b': it must be 1 to 128 visible ASCII characters");
  CHECK(noUserId(kj::str(longest, longest)).size() < 200);
}

TEST_CASE("a user's workspace has a valid name of what people recognise, whatever he is called") {
  Counting random;
  auto name = [&](kj::StringPtr user, kj::StringPtr called) {
    return newWorkspaceName(KJ_ASSERT_NONNULL(UserId::parse(user)), called, random);
  };
  CHECK(name("alice", "") == "alice-010203040506");
  CHECK(name("alice", "lab") == "alice-lab-0708090a0b0c");
  // No two are the same, though nothing else tells them apart.
  CHECK(name("Alice@Example.COM", "") == "alice-example-com-0d0e0f101112");
  CHECK(name("-alice-example.com--", "").startsWith("alice-example-com-"));
  CHECK(name("../../%$()", "").startsWith("user-"));
  const kj::String users[] = {kj::str("|"), kj::str(kj::repeat('x', 128)),
                              kj::str(kj::repeat('-', 128)), kj::str("a", kj::repeat('.', 29), "b"),
                              kj::str("$(reboot)")};
  const kj::String names[] = {kj::str(), kj::str(kj::repeat('y', 63)),
                              kj::str("a-", kj::repeat('b', 61))};
  for (auto& user : users) {
    for (auto& called : names) {
      auto given = name(user, called);
      INFO(given.cStr());
      CHECK(WorkspaceName::parse(given) != nullptr);
    }
  }
}

}  // namespace
}  // namespace bothy
