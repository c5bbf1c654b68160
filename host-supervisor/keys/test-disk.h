#pragma once

#include <kj/debug.h>
#include <kj/vector.h>
#include <string.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "keys/key-files.h"

namespace bothy {

using Bytes = std::vector<kj::byte>;

inline Bytes bytesOf(kj::ArrayPtr<const kj::byte> content) {
  return Bytes(content.begin(), content.end());
}

inline bool contains(const Bytes& content, kj::ArrayPtr<const kj::byte> part) {
  return memmem(content.data(), content.size(), part.begin(), part.size()) != nullptr;
}

// A directory in memory that knows what a power cut may take: content since the last sync of a file, names
// since the last sync of the directory.  A copy is a copy of the disk.
struct TestDisk {
  struct Inode {
    Bytes content;
    Bytes durable;
  };
  using Names = std::map<std::string, size_t>;
  enum class Unsynced { LOST, KEPT, TORN };

  // Those too that have no name any more.
  std::vector<Inode> inodes;
  Names names;
  // The names at the last sync of the directory and after each step since.
  std::vector<Names> history{{}};
  // All that was ever written to a file whose name begins with it.
  std::map<std::string, std::vector<Bytes>> written;

  bool has(const std::string& name) const { return names.count(name) > 0; }
  Bytes& at(const std::string& name) { return inodes[names.at(name)].content; }
  const Bytes& at(const std::string& name) const { return inodes[names.at(name)].content; }

  // Content by name, as a reader sees it.
  std::map<std::string, Bytes> listing() const {
    std::map<std::string, Bytes> result;
    for (auto& [name, inode] : names) result[name] = inodes[inode].content;
    return result;
  }

  void put(const std::string& name, Bytes content) {
    names[name] = inodes.size();
    inodes.push_back({content, content});
    history = {names};
  }

  void cutPower(size_t survivingSteps, Unsynced unsynced) {
    names = history[survivingSteps];
    history = {names};
    for (auto& inode : inodes) {
      if (unsynced == Unsynced::LOST) inode.content = inode.durable;
      if (unsynced == Unsynced::TORN && inode.content != inode.durable) {
        inode.content.resize(inode.content.size() / 2);
      }
      inode.durable = inode.content;
    }
  }
};

// KeyFiles on it, of which the n-th step from now on can fail, or be the one at which the process ends.
class TestKeyFiles final: public KeyFiles {
public:
  enum class Fault {
    ERROR,      // this step fails
    ERRORS,     // this step and all after it fail
    DISK_FULL,  // from this step on nothing new can be written
    KILL,       // the process ends in the middle of this step
  };

  explicit TestKeyFiles(TestDisk& disk) : disk(disk) {}

  // An ERROR can come a second time, at the step `second`.
  void failAt(size_t step, Fault kind, size_t second = 0) {
    steps = 0;
    faultyStep = step;
    secondStep = second;
    fault = kind;
    fired = false;
  }
  void heal() { faultyStep = 0; }
  size_t stepCount() const { return steps; }
  bool hasFired() const { return fired; }

  kj::Maybe<kj::Array<kj::byte>> read(kj::StringPtr name, size_t maxBytes) override {
    if (isFaulty()) fail();
    if (!disk.has(name.cStr())) return nullptr;
    auto& content = disk.at(name.cStr());
    KJ_REQUIRE(content.size() <= maxBytes);
    return kj::heapArray<kj::byte>(content.data(), content.size());
  }

  void write(kj::StringPtr name, kj::ArrayPtr<const kj::byte> content) override {
    if (isFaulty(true)) fail();
    KJ_REQUIRE(!disk.has(name.cStr()), "the file exists", name);
    auto whole = bytesOf(content);
    size_t inode = disk.inodes.size();
    disk.inodes.push_back({});
    setName(name, inode);
    disk.written[std::string(name.cStr()).substr(0, name.findFirst('.').orDefault(name.size()))]
        .push_back(whole);
    if (isFaulty(true)) {
      disk.inodes[inode].content.assign(whole.begin(), whole.begin() + whole.size() / 2);
      fail();
    }
    disk.inodes[inode].content = whole;
    if (isFaulty(true)) fail();
    disk.inodes[inode].durable = whole;
  }

  void wipe(kj::StringPtr name) override {
    if (isFaulty()) fail();
    if (!disk.has(name.cStr())) return;
    auto& inode = disk.inodes[disk.names[name.cStr()]];
    if (isFaulty()) {
      std::fill_n(inode.content.begin(), inode.content.size() / 2, 0);
      fail();
    }
    std::fill(inode.content.begin(), inode.content.end(), 0);
    if (isFaulty()) fail();
    inode.durable = inode.content;
  }

  bool link(kj::StringPtr from, kj::StringPtr to) override {
    if (isFaulty()) fail();
    if (!disk.has(from.cStr())) return false;
    KJ_REQUIRE(!disk.has(to.cStr()), "the file exists", to);
    setName(to, disk.names[from.cStr()]);
    return true;
  }

  void rename(kj::StringPtr from, kj::StringPtr to) override {
    if (isFaulty()) fail();
    KJ_REQUIRE(disk.has(from.cStr()), "no such file", from);
    // As rename(2): two names of one file stay.
    if (isSame(from, to)) return;
    size_t inode = disk.names[from.cStr()];
    disk.names.erase(from.cStr());
    setName(to, inode);
  }

  void remove(kj::StringPtr name) override {
    if (isFaulty()) fail();
    disk.names.erase(name.cStr());
    disk.history.push_back(disk.names);
  }

  void syncDirectory() override {
    if (isFaulty()) fail();
    disk.history = {disk.names};
  }

  kj::Array<kj::String> list() override {
    if (isFaulty()) fail();
    kj::Vector<kj::String> names;
    for (auto& [name, inode] : disk.names) names.add(kj::str(name.c_str()));
    return names.releaseAsArray();
  }

  bool isSameFile(kj::StringPtr one, kj::StringPtr other) override {
    if (isFaulty()) fail();
    return isSame(one, other);
  }

  kj::String path(kj::StringPtr name) const override { return kj::str("/test/", name); }

private:
  TestDisk& disk;
  size_t steps = 0;
  size_t faultyStep = 0;  // 0: none
  size_t secondStep = 0;
  Fault fault = Fault::ERROR;
  bool fired = false;

  bool isSame(kj::StringPtr one, kj::StringPtr other) const {
    return disk.has(one.cStr()) && disk.has(other.cStr()) &&
           disk.names.at(one.cStr()) == disk.names.at(other.cStr());
  }

  void setName(kj::StringPtr name, size_t inode) {
    disk.names[name.cStr()] = inode;
    disk.history.push_back(disk.names);
  }

  bool isFaulty(bool needsSpace = false) {
    ++steps;
    if (faultyStep == 0) return false;
    switch (fault) {
      case Fault::ERROR:
        if (steps != faultyStep && steps != secondStep) return false;
        break;
      case Fault::ERRORS:
      case Fault::KILL:
        if (steps < faultyStep) return false;
        break;
      case Fault::DISK_FULL:
        if (steps < faultyStep || !needsSpace) return false;
        break;
    }
    fired = true;
    return true;
  }

  [[noreturn]] void fail() {
    if (fault == Fault::DISK_FULL) {
      kj::throwFatalException(KJ_EXCEPTION(OVERLOADED, "no space left on device"));
    }
    kj::throwFatalException(KJ_EXCEPTION(FAILED, "input/output error"));
  }
};

}  // namespace bothy
