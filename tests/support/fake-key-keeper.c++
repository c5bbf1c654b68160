#include "support/fake-key-keeper.h"

#include <string.h>

#include <kj/debug.h>
#include <kj/vector.h>

namespace bothy {

void FakeKeyKeeper::mayThrow() const {
  if (throwsAtOnce) {
    kj::throwFatalException(KJ_EXCEPTION(OVERLOADED, "too many jobs wait for the keyring"));
  }
}

kj::Promise<void> FakeKeyKeeper::create(kj::StringPtr id) {
  mayThrow();
  keys.erase(id);
  keys.insert(kj::str(id), ++made);
  return kj::READY_NOW;
}

kj::Promise<Secret> FakeKeyKeeper::open(kj::StringPtr id) {
  mayThrow();
  auto& number = KJ_REQUIRE_NONNULL(keys.find(id), "there is no key of this id", id);
  Secret key(KEY_BYTES);
  memcpy(key.bytes().begin(), &number, sizeof(number));
  return kj::mv(key);
}

kj::Promise<void> FakeKeyKeeper::destroy(kj::StringPtr id) {
  mayThrow();
  if (failuresToDestroy > 0) {
    failuresToDestroy--;
    return KJ_EXCEPTION(OVERLOADED, "the keyring does not answer");
  }
  keys.erase(id);
  return kj::READY_NOW;
}

kj::Promise<kj::Array<kj::String>> FakeKeyKeeper::list() {
  mayThrow();
  kj::Vector<kj::String> ids;
  for (auto& entry : keys) ids.add(kj::str(entry.key));
  return ids.releaseAsArray();
}

}  // namespace bothy
