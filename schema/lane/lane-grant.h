#pragma once

#include <kj/array.h>
#include <kj/one-of.h>
#include <kj/string.h>
#include <kj/time.h>

#include "schema/lane.capnp.h"

namespace bothy {

// What a lane may do: a `Grant` as a value, see lane.capnp.
struct LaneGrant {
  // Rights, a bit a verb.
  class Verbs {
  public:
    Verbs() = default;
    Verbs(std::initializer_list<rpc::Verb> verbs) {
      for (auto verb : verbs) add(verb);
    }
    void add(rpc::Verb verb) { bits |= bitOf(verb); }
    bool has(rpc::Verb verb) const { return (bits & bitOf(verb)) != 0; }
    bool isEmpty() const { return bits == 0; }
    Verbs operator&(Verbs other) const;

  private:
    uint32_t bits = 0;
    static uint32_t bitOf(rpc::Verb verb);
  };

  uint64_t lane = 0;
  rpc::Purpose purpose = rpc::Purpose::NONE;
  kj::String session;
  kj::String actor;
  Verbs verbs;
  kj::Maybe<kj::Duration> lifetime;  // none: unlimited
  kj::String user;                   // of a lane for files; empty: the workspace's user
  bool allLanes = false;             // it may be any of the machine's
  // The directory of READ_BENEATH and WRITE_BENEATH, which no other right for files stands beside.
  kj::Array<const kj::byte> beneath;

  bool isBeneath() const {
    return verbs.has(rpc::Verb::READ_BENEATH) || verbs.has(rpc::Verb::WRITE_BENEATH);
  }

  void writeTo(rpc::Grant::Builder grant) const;
  // The grant with the rights that this build serves, and of those what the purpose offers; or why there is none.
  static kj::OneOf<LaneGrant, rpc::Refusal> parse(rpc::Grant::Reader grant);
};

}  // namespace bothy
