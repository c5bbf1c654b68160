#pragma once

#include <kj/array.h>

namespace bothy {

// What a connection must show before it gets anything.
class GateKey {
public:
  // Opens for nobody.
  GateKey() = default;
  explicit GateKey(kj::Array<const kj::byte> secret) : secret(kj::mv(secret)) {}

  // Takes the same time wherever the difference is.
  bool isOpenedBy(kj::ArrayPtr<const kj::byte> offered) const;

private:
  kj::Array<const kj::byte> secret;
};

}  // namespace bothy
