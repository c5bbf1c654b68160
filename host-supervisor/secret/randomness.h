#pragma once

#include <kj/array.h>

namespace bothy {

// Where unpredictable bytes come from.
class Randomness {
public:
  virtual void fill(kj::ArrayPtr<kj::byte> bytes) = 0;
};

// The kernel's (getrandom(2)): fit for secrets.
class KernelRandomness final: public Randomness {
public:
  void fill(kj::ArrayPtr<kj::byte> bytes) override;
};

}  // namespace bothy
