#pragma once

#include <string.h>

#include <map>
#include <string>

#include <kj/vector.h>

#include "doctor/finding.h"
#include "doctor/host-facts.h"

namespace bothy {

// A host that is what a test says.
class TestHost final: public HostFacts {
public:
  // A directory is there if a file is in it.
  std::map<std::string, std::string> files;
  // Of a path: the block device.
  std::map<std::string, std::string> devices;
  kj::Maybe<FileSystem> disk = FileSystem{false, 1ull << 40};
  uint32_t uid = 0;
  uint64_t coreLimit = 0;

  kj::Maybe<kj::String> text(kj::StringPtr path) const override {
    auto found = files.find(path.cStr());
    if (found == files.end()) return nullptr;
    return kj::str(found->second.c_str());
  }
  kj::Array<kj::String> names(kj::StringPtr directory) const override {
    auto prefix = std::string(directory.cStr()) + "/";
    kj::Vector<kj::String> names;
    for (auto& file : files) {
      if (!file.first.starts_with(prefix)) continue;
      auto rest = file.first.substr(prefix.size());
      auto name = kj::str(rest.substr(0, rest.find('/')).c_str());
      if (names.empty() || names.back() != name) names.add(kj::mv(name));
    }
    return names.releaseAsArray();
  }
  bool exists(kj::StringPtr path) const override { return files.contains(path.cStr()); }
  kj::Maybe<kj::String> blockDevice(kj::StringPtr path) const override {
    auto found = devices.find(path.cStr());
    if (found == devices.end()) return nullptr;
    return kj::str(found->second.c_str());
  }
  kj::Maybe<FileSystem> fileSystem(kj::StringPtr) const override { return disk; }
  uint32_t user() const override { return uid; }
  uint64_t coreLimitBytes() const override { return coreLimit; }
};

inline bool contains(kj::StringPtr text, kj::StringPtr part) {
  return strstr(text.cStr(), part.cStr()) != nullptr;
}

// Advice is there where there is something to do, and only there.
inline bool isWhole(const Finding& finding) {
  return finding.name.size() > 0 && finding.found.size() > 0 &&
         (finding.advice.size() > 0) == (finding.verdict != Verdict::OK);
}

}  // namespace bothy
