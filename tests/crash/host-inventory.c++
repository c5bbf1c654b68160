#include "crash/host-inventory.h"

#include <endian.h>
#include <string.h>
#include <sys/stat.h>

#include <kj/debug.h>
#include <kj/vector.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <system_error>

namespace bothy {
namespace {

namespace fs = std::filesystem;

using Lines = std::set<std::string>;

constexpr size_t ID_CHARACTERS = 32;

std::string contentOf(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The first workspace id in a text: 32 hexadecimal digits.
std::string idIn(const std::string& text) {
  size_t length = 0;
  for (size_t i = 0; i <= text.size(); i++) {
    bool digit = i < text.size() && strchr("0123456789abcdef", text[i]) != nullptr;
    if (digit) {
      length++;
      continue;
    }
    if (length == ID_CHARACTERS) return text.substr(i - length, length);
    length = 0;
  }
  return "";
}

void add(Lines& lines, const std::string& kind, const std::string& place) {
  auto id = idIn(place);
  lines.insert(id.empty() ? "stranger " + kind + " " + place : kind + " " + id);
}

void addFiles(Lines& lines, const std::string& kind, const fs::path& directory) {
  if (!fs::exists(directory)) return;
  for (auto& entry : fs::directory_iterator(directory)) {
    add(lines, kind, entry.path().filename());
  }
}

// A disk is its machine's, or root's.
void addVolumes(Lines& lines, const fs::path& directory) {
  for (auto& entry : fs::directory_iterator(directory)) {
    struct stat stats;
    // One that is gone meanwhile is none.
    if (lstat(entry.path().c_str(), &stats) < 0) continue;
    if (entry.path().extension() == ".memory") {
      add(lines, "memory", entry.path().filename());
      continue;
    }
    add(lines, stats.st_uid == 0 ? "volume of root" : "volume of a machine",
        entry.path().filename());
  }
}

// The format of a node is that of host-supervisor/keys/README.md.
void addKeysOfNode(Lines& lines, const fs::path& node) {
  constexpr size_t COUNT_OFFSET = 24, WRAPPED_BYTES = 60;
  auto content = contentOf(node);
  KJ_REQUIRE(content.starts_with("BOTHYNOD"), "this is no node of a keyring", node.c_str());
  uint32_t count;
  memcpy(&count, content.data() + COUNT_OFFSET, sizeof(count));
  size_t at = COUNT_OFFSET + sizeof(count);
  for (uint32_t i = 0; i < le32toh(count); i++) {
    size_t length = static_cast<kj::byte>(content.at(at));
    add(lines, "key", content.substr(at + 1, length));
    at += 1 + length + WRAPPED_BYTES;
  }
}

void addKeys(Lines& lines, const fs::path& keyring) {
  for (auto& entry : fs::directory_iterator(keyring)) {
    std::string name = entry.path().filename();
    if (name.starts_with("node-")) {
      addKeysOfNode(lines, entry.path());
    } else if (name != "master" && name != "top" && name != "protector") {
      add(lines, "file of a keyring", name);
    }
  }
}

void addProcesses(Lines& lines, const std::string& root) {
  for (auto& entry : fs::directory_iterator("/proc")) {
    auto pid = entry.path().filename().string();
    if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
    auto line = contentOf(entry.path() / "cmdline");
    std::replace(line.begin(), line.end(), '\0', ' ');
    auto program = fs::path(line.substr(0, line.find(' '))).filename().string();
    bool isMachines = program.starts_with("qemu") || program.starts_with("vhost");
    if (isMachines && line.find(root) != std::string::npos) add(lines, "process " + program, line);
  }
}

// Names of directories that have a workspace's id in them.
Lines controlGroups() {
  Lines names;
  for (auto& entry : fs::recursive_directory_iterator(
           "/sys/fs/cgroup", fs::directory_options::skip_permission_denied)) {
    auto name = entry.path().filename().string();
    if (!idIn(name).empty()) names.insert(name);
  }
  return names;
}

constexpr const char* VSOCK_DEVICE = "process vhost-device-vsock ";

}  // namespace

kj::String HostInventory::found() {
  // What goes meanwhile, other hosts' control groups and processes too, breaks off a look, of a directory or within a file.
  constexpr int MOST_LOOKS = 100;
  for (int look = 1;; look++) {
    try {
      return lookOnce();
    } catch (const std::system_error&) {
      if (look == MOST_LOOKS) throw;
    }
  }
}

kj::String HostInventory::lookOnce() {
  std::string root = host.directory().cStr();
  Lines lines;
  addVolumes(lines, root + "/state/volumes");
  addFiles(lines, "console", root + "/state/consoles");
  addKeys(lines, root + "/state/keys");
  addProcesses(lines, root);
  for (auto& machine : fs::directory_iterator(root + "/run/vms")) {
    if (!fs::is_empty(machine.path())) add(lines, "runtime files", machine.path().filename());
  }
  // The driver's own: libvirt's state of domains, records of machines, and whatever else has the name of one.
  for (auto& directory : {root + "/state/vm", root + "/run"}) {
    for (auto& entry : fs::recursive_directory_iterator(directory)) {
      if (entry.path().string().starts_with(root + "/run/vms")) continue;
      auto name = entry.path().filename().string();
      if (!idIn(name).empty()) add(lines, "driver's file", name);
    }
  }
  // The kernel's are those of all hosts of the machine: this one's log has the ids of its workspaces.
  auto log = contentOf(host.log().cStr());
  for (auto& name : controlGroups()) {
    if (log.find(idIn(name)) != std::string::npos) add(lines, "control group", name);
  }
  std::string text;
  for (auto& line : lines) text += line + "\n";
  return kj::str(text.c_str());
}

kj::String HostInventory::expected(kj::StringPtr found) {
  auto list = host.wait(host.supervisor().listRequest().send().dropPipeline(), "the list");
  Lines lines;
  for (auto workspace : list.getWorkspaces()) {
    std::string id = workspace.getId().cStr();
    // Of one that has expired there is nothing.
    if (workspace.getState() == rpc::WorkspaceState::EXPIRED) continue;
    // One that is paused has a machine, and no vsock device.
    const bool isPaused = workspace.getState() == rpc::WorkspaceState::PAUSED;
    const bool runs = isPaused || workspace.getState() == rpc::WorkspaceState::RUNNING;
    lines.insert((runs ? "volume of a machine " : "volume of root ") + id);
    if (workspace.getState() == rpc::WorkspaceState::HIBERNATED) lines.insert("memory " + id);
    lines.insert("key " + id);
    auto console = "console " + id;
    if (strstr(found.cStr(), console.c_str()) != nullptr) lines.insert(console);
    if (!runs) continue;
    for (const std::string kind : {"process qemu-system-x86_64 ", VSOCK_DEVICE, "runtime files ",
                                   "driver's file ", "control group "}) {
      if (!isPaused || kind != VSOCK_DEVICE) lines.insert(kind + id);
    }
  }
  std::string text;
  for (auto& line : lines) text += line + "\n";
  return kj::str(text.c_str());
}

void settle(SupervisedHost& host) {
  auto deadline = host.timer.now() + SupervisedHost::BOOT_LIMIT;
  for (;;) {
    bool lasts = true;
    auto list = host.wait(host.supervisor().listRequest().send().dropPipeline(), "the list");
    for (auto workspace : list.getWorkspaces()) {
      auto state = workspace.getState();
      lasts = lasts &&
              (state == rpc::WorkspaceState::STOPPED || state == rpc::WorkspaceState::FAILED ||
               state == rpc::WorkspaceState::RUNNING || state == rpc::WorkspaceState::PAUSED ||
               state == rpc::WorkspaceState::EXPIRED || state == rpc::WorkspaceState::HIBERNATED);
    }
    if (lasts) return;
    KJ_REQUIRE(host.timer.now() < deadline, "a workspace stays on its way", list);
    host.timer.afterDelay(50 * kj::MILLISECONDS).wait(host.scope);
  }
}

}  // namespace bothy
