#pragma once

#include <kj/async.h>
#include <kj/map.h>
#include <kj/vector.h>

namespace bothy {

// Names and request ids of workspaces that are on their way into the store: nobody else makes one of the same name, or for the same
// request, meanwhile.
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

  // `requestId` may be empty.  Outlives what it gives.
  kj::Promise<kj::Own<Claim>> take(kj::StringPtr name, kj::StringPtr requestId);
  // Nobody has one.
  bool isIdle() const { return held.size() == 0; }

private:
  kj::TreeMap<kj::String, kj::ForkedPromise<void>> held;
};

}  // namespace bothy
