#pragma once

#include <kj/string.h>
#include <kj/vector.h>

namespace bothy {

// What disk-init.c says on its console, taken in line by line.
class FsyncSamples final {
public:
  kj::Vector<double> plain;  // ms
  kj::Vector<double> encrypted;

  // Whether more is to come.  Fails where the guest says that it did, and at an end that does not have the samples
  // that the guest says it took.  Lines that are not the guest's are passed over.
  bool take(kj::StringPtr line);
};

// The serial numbers of its disks.
constexpr kj::StringPtr PLAIN_SERIAL = "plain"_kj;
constexpr kj::StringPtr ENCRYPTED_SERIAL = "luks"_kj;

}  // namespace bothy
