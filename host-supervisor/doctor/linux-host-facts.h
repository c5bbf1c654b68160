#pragma once

#include "doctor/host-facts.h"

namespace bothy {

// The host that this process runs on: /proc, /sys, /dev and /etc.
class LinuxHostFacts final: public HostFacts {
public:
  kj::Maybe<kj::String> text(kj::StringPtr path) const override;
  kj::Array<kj::String> names(kj::StringPtr directory) const override;
  bool exists(kj::StringPtr path) const override;
  kj::Maybe<kj::String> blockDevice(kj::StringPtr path) const override;
  kj::Maybe<FileSystem> fileSystem(kj::StringPtr path) const override;
  uint32_t user() const override;
  uint64_t coreLimitBytes() const override;
};

}  // namespace bothy
