#include "vm/control-groups.h"

#include <errno.h>
#include <mntent.h>
#include <stdio.h>
#include <unistd.h>

#include <filesystem>

#include <kj/debug.h>
#include <kj/vector.h>

namespace bothy {
namespace {

namespace fs = std::filesystem;

constexpr kj::StringPtr MACHINES = "/machine"_kj;
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

void removeControlGroups(kj::StringPtr mount, kj::StringPtr machine) {
  auto machines = kj::str(mount, MACHINES);
  auto ending = kj::str("-", machine, SUFFIX);
  if (!fs::is_directory(machines.cStr())) return;
  kj::Vector<fs::path> groups;
  for (auto& entry : fs::directory_iterator(machines.cStr())) {
    auto name = entry.path().filename().string();
    if (name.ends_with(ending.cStr()) && entry.is_directory()) groups.add(entry.path());
  }
  for (auto& group : groups) removeGroup(group);
}

}  // namespace bothy
