#include "workspace/creation-claims.h"

namespace bothy {

CreationClaims::Claim::Claim(CreationClaims& claims, kj::Vector<kj::String> wordsParam)
    : claims(claims), words(kj::mv(wordsParam)) {
  for (auto& word : words) {
    auto paf = kj::newPromiseAndFulfiller<void>();
    claims.held.insert(kj::str(word), paf.promise.fork());
    fulfillers.add(kj::mv(paf.fulfiller));
  }
}

CreationClaims::Claim::~Claim() noexcept(false) {
  for (auto& word : words) claims.held.erase(word);
  for (auto& fulfiller : fulfillers) fulfiller->fulfill();
}

kj::Promise<kj::Own<CreationClaims::Claim>> CreationClaims::take(Wanted wanted) {
  kj::Vector<kj::String> words;
  words.add(kj::str("name ", wanted.name));
  if (wanted.requestId.size() > 0) words.add(kj::str("request ", wanted.requestId));
  if (wanted.user.size() > 0) {
    // With the length, so that no user's name can be taken for another's.
    words.add(kj::str("user ", wanted.user.size(), ' ', wanted.user, ' ', wanted.userName));
  }
  for (;;) {
    kj::Maybe<kj::Promise<void>> other;
    for (auto& word : words) {
      KJ_IF_MAYBE (claim, held.find(word)) other = claim->addBranch();
    }
    KJ_IF_MAYBE (end, other) {
      co_await *end;
    } else {
      co_return kj::heap<Claim>(*this, kj::mv(words));
    }
  }
}

}  // namespace bothy
