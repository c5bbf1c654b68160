#pragma once

#include <stdint.h>

#include <kj/common.h>
#include <kj/string.h>

namespace bothy {

struct VersionNumber {
  uint32_t major;
  uint32_t minor;
  uint32_t patch;

  bool operator<(const VersionNumber& other) const;

  // The first "N.N" or "N.N.N" in what a program says of itself; nullptr if there is none.
  static kj::Maybe<VersionNumber> firstIn(kj::StringPtr text);
};
kj::String KJ_STRINGIFY(const VersionNumber& version);

}  // namespace bothy
