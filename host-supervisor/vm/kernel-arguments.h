#pragma once

#include <kj/string.h>
#include <stdint.h>

namespace bothy {

// What a guest's kernel is told about the machine that domainXml() describes, whatever runs on it.
inline kj::String kernelArguments(uint32_t cpus) {
  // no_timer_check: the kernel would count the timer's ticks against its own clock, and panics where a busy host gives
  // an emulated machine no time meanwhile ("IO-APIC + timer doesn't work!").  Under KVM it leaves that out by itself.
  // One CPU: lock prefixes need not be patched out one by one, 100 ms of a boot under TCG.
  return kj::str("console=ttyS0 quiet panic=-1 no_timer_check", cpus == 1 ? " noreplace-smp" : "");
}

}  // namespace bothy
