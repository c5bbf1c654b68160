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

kj::Promise<kj::Own<CreationClaims::Claim>> CreationClaims::take(kj::StringPtr name,
                                                                 kj::StringPtr requestId) {
  kj::Vector<kj::String> words;
  words.add(kj::str("name ", name));
  if (requestId.size() > 0) words.add(kj::str("request ", requestId));
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
