#pragma once

#include <stdint.h>

#include <kj/map.h>

#include "keys/key-keeper.h"

namespace bothy {

// Keys that exist in memory only, and are never the same twice.
class FakeKeyKeeper final: public KeyKeeper {
public:
  FakeKeyKeeper() = default;
  KJ_DISALLOW_COPY_AND_MOVE(FakeKeyKeeper);

  // Every call fails, before there is a promise.
  bool throwsAtOnce = false;
  // The next calls of destroy() that fail.
  uint32_t failuresToDestroy = 0;

  size_t count() const { return keys.size(); }

  kj::Promise<void> create(kj::StringPtr id) override;
  kj::Promise<Secret> open(kj::StringPtr id) override;
  kj::Promise<void> destroy(kj::StringPtr id) override;
  kj::Promise<kj::Array<kj::String>> list() override;

private:
  kj::TreeMap<kj::String, uint64_t> keys;
  uint64_t made = 0;

  void mayThrow() const;
};

}  // namespace bothy
