#include "vm/control-groups.h"

#include <errno.h>
#include <mntent.h>
#include <stdio.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include <kj/debug.h>
#include <kj/map.h>
#include <kj/vector.h>

namespace bothy {
namespace {

namespace fs = std::filesystem;

constexpr kj::StringPtr MACHINES = "/machine"_kj;
constexpr kj::StringPtr PREFIX = "qemu-embed-"_kj;
constexpr kj::StringPtr SUFFIX = ".libvirt-qemu"_kj;

// The files in it are the kernel's and go with their directory.
void removeGroup(const fs::path& group) {
  for (auto& entry : fs::directory_iterator(group)) {
    if (entry.is_directory()) removeGroup(entry.path());
  }
  if (rmdir(group.c_str()) < 0 && errno != ENOENT) KJ_FAIL_SYSCALL("rmdir", errno, group.c_str());
}

}  // namespace

kj::Array<kj::String> controlGroupMounts() {
  kj::Vector<kj::String> found;
  FILE* table = setmntent("/proc/self/mounts", "re");
  if (table == nullptr) KJ_FAIL_SYSCALL("setmntent", errno);
  KJ_DEFER(endmntent(table));
  struct mntent entry;
  char text[4096];
  while (getmntent_r(table, &entry, text, sizeof(text)) != nullptr) {
    kj::StringPtr type = entry.mnt_type;
    if (type == "cgroup" || type == "cgroup2") found.add(kj::str(entry.mnt_dir));
  }
  return found.releaseAsArray();
}

kj::Array<kj::String> listControlGroups(kj::StringPtr mount) {
  auto machines = kj::str(mount, MACHINES);
  kj::Vector<kj::String> found;
  if (!fs::is_directory(machines.cStr())) return nullptr;
  for (auto& entry : fs::directory_iterator(machines.cStr())) {
    auto name = kj::str(entry.path().filename().c_str());
    if (name.endsWith(SUFFIX) && entry.is_directory()) found.add(kj::mv(name));
  }
  return found.releaseAsArray();
}

kj::Maybe<kj::String> machineOfControlGroup(kj::StringPtr group) {
  if (!group.startsWith(PREFIX) || !group.endsWith(SUFFIX)) return nullptr;
  auto rest = group.slice(PREFIX.size());
  for (int parts = 0; parts < 2; parts++) {
    KJ_IF_MAYBE (dash, rest.findFirst('-')) {
      rest = rest.slice(*dash + 1);
    } else {
      return nullptr;
    }
  }
  return kj::heapString(rest.slice(0, rest.size() - SUFFIX.size()));
}

kj::Maybe<kj::Array<kj::String>> controlGroupsOf(pid_t process, kj::StringPtr machine) {
  // Lines "NUMBER:CONTROLLERS:PATH" (cgroups(7)).
  std::ifstream file(kj::str("/proc/", process, "/cgroup").cStr());
  kj::HashSet<kj::String> found;
  bool isEmpty = true;
  for (std::string line; std::getline(file, line); isEmpty = false) {
    for (auto& part : fs::path(line)) {
      auto name = kj::str(part.c_str());
      KJ_IF_MAYBE (owner, machineOfControlGroup(name)) {
        if (*owner == machine) found.upsert(kj::mv(name), [](auto&, auto&&) {});
      }
    }
  }
  if (isEmpty) return nullptr;
  return KJ_MAP(name, found) {
    return kj::str(name);
  };
}

void removeControlGroup(kj::StringPtr mount, kj::StringPtr group) {
  fs::path path = kj::str(mount, MACHINES, "/", group).cStr();
  if (fs::is_directory(path)) removeGroup(path);
}

void removeControlGroups(kj::StringPtr mount, kj::StringPtr machine) {
  for (auto& group : listControlGroups(mount)) {
    KJ_IF_MAYBE (owner, machineOfControlGroup(group)) {
      if (*owner == machine) removeControlGroup(mount, group);
    }
  }
}

}  // namespace bothy
