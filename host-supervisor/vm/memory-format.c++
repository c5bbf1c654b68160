#include "vm/memory-format.h"

#include <string.h>

#include <fstream>
#include <iterator>
#include <string>

namespace bothy {
namespace {

// Another where domainXml() makes another machine.
constexpr kj::StringPtr MACHINE = "q35 with a balloon"_kj;

// The first processor's line of this name.
kj::String ofProcessor(kj::StringPtr info, kj::StringPtr name) {
  auto begin = strstr(info.cStr(), kj::str("\n", name, "\t").cStr());
  if (begin == nullptr) return kj::str("?");
  begin = strchr(begin, ':');
  if (begin == nullptr) return kj::str("?");
  auto end = strchr(begin, '\n');
  return end == nullptr ? kj::str(begin + 1) : kj::heapString(begin + 1, end - begin - 1);
}

// FNV-1a: flags are many, and only whether they are the same counts.
uint64_t digestOf(kj::StringPtr text) {
  uint64_t digest = 0xcbf29ce484222325;
  for (kj::byte byte : text.asBytes()) digest = (digest ^ byte) * 0x100000001b3;
  return digest;
}

}  // namespace

kj::String memoryFormat(kj::StringPtr emulator, bool isKvm) {
  if (!isKvm) return kj::str(emulator, ", ", MACHINE, ", emulated processor");
  // The guest has the host's own processor.
  std::ifstream file("/proc/cpuinfo");
  const std::string info((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  return kj::str(emulator, ", ", MACHINE, ",", ofProcessor(info.c_str(), "model name"), " ",
                 kj::hex(digestOf(ofProcessor(info.c_str(), "flags"))));
}

}  // namespace bothy
