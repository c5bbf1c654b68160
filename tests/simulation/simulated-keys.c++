#include "simulation/simulated-keys.h"

#include <string.h>

#include <kj/debug.h>
#include <kj/vector.h>

namespace bothy {

void SimulatedKeys::mayRefuse(kj::StringPtr what, kj::StringPtr id) {
  lifetime.require();
  if (!host.fate.strikes(Fault::KEY_REFUSED)) return;
  host.trace.line("keys", what, " ", host.label(id), ": refused");
  kj::throwFatalException(KJ_EXCEPTION(FAILED, "simulated: the keyring cannot be written"));
}

kj::Promise<void> SimulatedKeys::create(kj::StringPtr id) {
  return kj::evalNow([&]() -> kj::Promise<void> {
    mayRefuse("create", id);
    apply(lifetime, [&]() {
      host.touch();
      host.trace.line("keys", "create ", host.label(id));
      if (host.storedState(id) != WorkspaceState::CREATING) {
        host.judge.accuse("a key is made for ", host.label(id), ", which is not `creating`");
      }
      auto key = kj::heapArray<kj::byte>(KEY_BYTES);
      memset(key.begin(), 0, key.size());
      // Never the same twice.
      host.keysMade++;
      memcpy(key.begin(), &host.keysMade, sizeof(host.keysMade));
      host.keys.upsert(kj::str(id), kj::mv(key));
    });
    return kj::READY_NOW;
  });
}

kj::Promise<Secret> SimulatedKeys::open(kj::StringPtr id) {
  return kj::evalNow([&]() {
    mayRefuse("open", id);
    auto& key = KJ_REQUIRE_NONNULL(host.keys.find(id), "simulated: there is no key of this id");
    Secret result(KEY_BYTES);
    memcpy(result.bytes().begin(), key.begin(), key.size());
    return result;
  });
}

kj::Promise<void> SimulatedKeys::destroy(kj::StringPtr id) {
  return kj::evalNow([&]() -> kj::Promise<void> {
    mayRefuse("destroy", id);
    apply(lifetime, [&]() {
      host.touch();
      host.trace.line("keys", "destroy ", host.label(id));
      auto state = host.storedState(id);
      if (state != WorkspaceState::DELETING && state != WorkspaceState::CREATING) {
        host.judge.accuse("the key of ", host.label(id), " is destroyed, which is not `deleting`");
      }
      if (host.sabotage != Sabotage::KEY_IS_KEPT) host.keys.erase(id);
    });
    return kj::READY_NOW;
  });
}

kj::Promise<kj::Array<kj::String>> SimulatedKeys::list() {
  return kj::evalNow([&]() {
    mayRefuse("list", "");
    kj::Vector<kj::String> ids;
    for (auto& entry : host.keys) ids.add(kj::str(entry.key));
    return ids.releaseAsArray();
  });
}

}  // namespace bothy
