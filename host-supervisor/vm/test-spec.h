#pragma once

#include "vm/vm-driver.h"

namespace bothy {

// Of a small machine of this user id and cid, whose files have simulated paths; without a boot secret.
inline VmSpec testSpec(kj::StringPtr name, uint32_t uid, uint32_t cid) {
  VmSpec spec;
  spec.name = kj::str(name);
  spec.cpus = 1;
  spec.memoryBytes = 512ull << 20;
  spec.kernel = kj::str("/k");
  spec.initramfs = kj::str("/i");
  spec.rootImage = kj::str("/r");
  spec.dataDisk = kj::str("/volumes/", name);
  spec.diskKey = Secret(32);
  spec.uid = uid;
  spec.cid = cid;
  spec.runtimeDir = kj::str("/run/", name);
  spec.consoleLog = kj::str("/console/", name);
  return spec;
}

}  // namespace bothy
