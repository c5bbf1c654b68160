#pragma once

#include <kj/async.h>
#include <kj/map.h>
#include <kj/vector.h>

namespace bothy {

// Names, users and request ids of workspaces that are on their way into the store: nobody else makes one of the same name, for the same
// request, or that the same user calls so, meanwhile.
class CreationClaims final {
public:
  // Ends with its destruction; then who waits for one of its words is next.
  class Claim final {
  public:
    Claim(CreationClaims& claims, kj::Vector<kj::String> words);
    ~Claim() noexcept(false);
    KJ_DISALLOW_COPY_AND_MOVE(Claim);

  private:
    CreationClaims& claims;
    const kj::Vector<kj::String> words;
    kj::Vector<kj::Own<kj::PromiseFulfiller<void>>> fulfillers;
  };

  struct Wanted {
    kj::StringPtr name;
    // Empty: none.
    kj::StringPtr requestId;
    // Empty: nobody's.
    kj::StringPtr user = nullptr;
    kj::StringPtr userName = nullptr;
  };
  // Outlives what it gives.
  kj::Promise<kj::Own<Claim>> take(Wanted wanted);
  // Nobody has one.
  bool isIdle() const { return held.size() == 0; }

private:
  kj::TreeMap<kj::String, kj::ForkedPromise<void>> held;
};

}  // namespace bothy
