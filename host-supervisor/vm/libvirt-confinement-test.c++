// What a machine that runs has of the host, and what it may take.  Real machines: each test boots at least one.
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "vm/qemu-logs.h"
#include "vm/testing/driver-fixture.h"

namespace bothy {
namespace {

namespace stdfs = std::filesystem;

TEST_CASE("S18 the PCI devices of a machine that runs are a fixed list of nine") {
  NEEDS_ROOT();
  Bed b;
  auto vm = b.start("one");
  std::istringstream words(b.bed.ask(*vm, "!pci").cStr());
  std::vector<std::string> found{std::istream_iterator<std::string>(words), {}};
  std::sort(found.begin(), found.end());
  bool isKernels = b.bed.driver->abilities().vsock == HostAbilities::Vsock::KERNEL;
  // Two disks, the balloon, random numbers, vsock; the panic notice; the port for vsock; host and ISA bridge.
  std::vector<std::string> expected{
      "1af4:1001", "1af4:1001", "1af4:1002", "1af4:1005", isKernels ? "1af4:1012" : "1af4:1053",
      "1b36:000c", "1b36:0011", "8086:2918", "8086:29c0"};
  CHECK(found == expected);
}

TEST_CASE("S09 a guest that floods its console leaves a log of fixed size") {
  NEEDS_ROOT();
  Bed b;
  auto vm = b.start("one");
  // So that the older half is dropped once.
  CHECK(b.bed.ask(*vm, kj::str("!blast ", CONSOLE_LIMIT_BYTES * 5 / 4 / 1024)) == "done\n");
  vm->destroy().wait(b.scope);
  CHECK(stdfs::file_size(kj::str(b.bed.directory, "/console-one").cStr()) <= CONSOLE_LIMIT_BYTES);
  CHECK(stdfs::file_size(kj::str(b.bed.directory, "/console-one").cStr()) >
        CONSOLE_LIMIT_BYTES / 4);
}

TEST_CASE("S09 what QEMU writes to its standard error has a bound on the host") {
  NEEDS_ROOT();
  Bed b;
  auto vm = b.start("one");
  // As QEMU does: by the same open file.
  const auto descriptor = kj::str("/proc/", vm->qemuPid(), "/fd/2");
  struct stat log;
  KJ_SYSCALL(stat(descriptor.cStr(), &log));
  std::ofstream(descriptor.cStr(), std::ios::app) << std::string(QEMU_LOG_LIMIT_BYTES + 1, 'x');
  b.bed.io.provider->getTimer().afterDelay(2 * QEMU_LOG_LOOK_PAUSE).wait(b.scope);
  KJ_SYSCALL(stat(descriptor.cStr(), &log));
  CHECK(log.st_size == 0);
  // Else it would go on behind a hole.
  std::ifstream info(kj::str("/proc/", vm->qemuPid(), "/fdinfo/2").cStr());
  std::string word, flags;
  while (info >> word && word != "flags:") {
  }
  info >> flags;
  CHECK((std::stoi(flags, nullptr, 8) & O_APPEND) != 0);
}

TEST_CASE(
    "S13 S20 QEMU and its device run confined, as the machine's user, and share files read-only") {
  NEEDS_ROOT();
  Bed b;
  auto vm = b.start("one");
  auto proc = kj::str("/proc/", vm->qemuPid());
  auto status = slurp(kj::str(proc, "/status"));
  auto user = std::to_string(BED_FIRST_UID + 1);
  CHECK(status.find("Uid:\t" + user + "\t" + user + "\t" + user + "\t" + user) !=
        std::string::npos);
  CHECK(status.find("CapEff:\t0000000000000000") != std::string::npos);
  CHECK(status.find("CapPrm:\t0000000000000000") != std::string::npos);
  CHECK(status.find("NoNewPrivs:\t1") != std::string::npos);
  CHECK(status.find("Seccomp:\t2") != std::string::npos);

  bool hasRoot = false;
  for (auto& entry : stdfs::directory_iterator(kj::str(proc, "/fd").cStr())) {
    std::error_code error;
    auto target = stdfs::read_symlink(entry.path(), error).string();
    CHECK(target.find("kvm") == std::string::npos);
    if (target == std::string(b.bed.directory.cStr()) + "/root.img") {
      hasRoot = true;
      auto info = slurp(kj::str(proc, "/fdinfo/", entry.path().filename().c_str()));
      CHECK(strtol(info.c_str() + info.find("flags:") + 6, nullptr, 8) % 4 == O_RDONLY);
    }
  }
  CHECK(hasRoot);
  auto arguments = slurp(kj::str(proc, "/cmdline"));
  CHECK(arguments.find("only for the guest") == std::string::npos);
  CHECK(slurp(kj::str(proc, "/environ")).find("only for the guest") == std::string::npos);
  CHECK(arguments.find("obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny") !=
        std::string::npos);
  // S19.  (The library itself is mapped: Debian links QEMU to it.)
  CHECK(arguments.find("netdev") == std::string::npos);
  CHECK(arguments.find("-nic") == std::string::npos);
  CHECK(!stdfs::exists(kj::str(b.bed.runtimeDir("one"), "/secret").cStr()));
}

// The soft and hard limit of a process, as /proc has them.
std::string limitOf(pid_t pid, const std::string& name) {
  std::istringstream lines(slurp(kj::str("/proc/", pid, "/limits")));
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(name)) continue;
    std::istringstream words(line.substr(name.size()));
    std::string soft, hard;
    words >> soft >> hard;
    return soft + " " + hard;
  }
  return "none";
}

TEST_CASE(
    "S20 S21 QEMU and its device have limits, and networks of their own with nobody in them") {
  NEEDS_ROOT();
  Bed b;
  auto one = b.start("one", 1), two = b.start("two", 2);
  auto network = [](pid_t pid) {
    return stdfs::read_symlink(kj::str("/proc/", pid, "/ns/net").cStr()).string();
  };
  std::vector<pid_t> processes;
  std::vector<std::string> networks{network(getpid())};
  for (auto name : {"one"_kj, "two"_kj}) {
    auto record = b.record(name);
    processes.push_back(record.qemu.pid);
    CHECK(limitOf(record.qemu.pid, "Max open files") == "1024 1024");
    if (record.vsockDevice.pid != 0) {
      processes.push_back(record.vsockDevice.pid);
      CHECK(limitOf(record.vsockDevice.pid, "Max file size") == "0 0");
      CHECK(limitOf(record.vsockDevice.pid, "Max open files") == "16384 16384");
      auto status = slurp(kj::str("/proc/", record.vsockDevice.pid, "/status"));
      CHECK(status.find("Seccomp:\t2") != std::string::npos);
    }
  }
  CHECK(one->qemuPid() == static_cast<uint64_t>(processes[0]));
  for (pid_t pid : processes) {
    INFO(slurp(kj::str("/proc/", pid, "/comm")));
    CHECK(std::find(networks.begin(), networks.end(), network(pid)) == networks.end());
    networks.push_back(network(pid));
    std::istringstream devices(slurp(kj::str("/proc/", pid, "/net/dev")));
    // Two lines of heading, and the loopback device.
    CHECK(std::count(std::istreambuf_iterator<char>(devices), {}, '\n') == 3);
    CHECK(limitOf(pid, "Max processes") == "256 256");
    CHECK(limitOf(pid, "Max core file size") == "0 0");
  }
  CHECK(b.bed.ask(*one, "hello") == "hello");
  CHECK(b.bed.ask(*two, "hello") == "hello");
}

// What of the machine "one" lies below the bed and is open to its user, or to a group that it has, to make files in.
std::vector<std::string> placesFor(Bed& b, uint32_t user, std::vector<uint32_t> groups) {
  std::vector<std::string> found;
  for (auto& entry : stdfs::recursive_directory_iterator(b.bed.directory.cStr())) {
    struct stat stats;
    if (lstat(entry.path().c_str(), &stats) < 0 || !S_ISDIR(stats.st_mode)) continue;
    const bool isGroups = std::find(groups.begin(), groups.end(), stats.st_gid) != groups.end();
    if (stats.st_uid == user || (isGroups && (stats.st_mode & S_IWGRP) != 0) ||
        (stats.st_mode & S_IWOTH) != 0) {
      found.push_back(entry.path().string());
    }
  }
  return found;
}

TEST_CASE(
    "S01 S20 S21 no directory of bothyd's is open to QEMU or to a vsock device that has started") {
  NEEDS_ROOT();
  Bed b;
  auto vm = b.start("one");
  const uint32_t user = BED_FIRST_UID + 1;
  CHECK(b.bed.ask(*vm, "hello") == "hello");
  CHECK(placesFor(b, user, {user, BED_KILL_SENDER}) == std::vector<std::string>());
  auto record = b.record("one");
  if (record.vsockDevice.pid == 0) return;
  // Nor to one that has taken its place; QEMU cannot look into either.
  auto restored = b.witness.onRestored();
  kill(record.vsockDevice.pid, SIGKILL);
  b.within(60 * kj::SECONDS, kj::mv(restored));
  CHECK(b.bed.ask(*vm, "hello") == "hello");
  CHECK(placesFor(b, user, {user, BED_KILL_SENDER}) == std::vector<std::string>());
  auto gids = [](pid_t pid) {
    auto status = slurp(kj::str("/proc/", pid, "/status"));
    auto begin = status.find("Gid:");
    return status.substr(begin, status.find('\n', begin) - begin);
  };
  const auto devices = std::to_string(BED_KILL_SENDER), own = std::to_string(user);
  CHECK(gids(b.record("one").vsockDevice.pid) ==
        "Gid:\t" + devices + "\t" + devices + "\t" + devices + "\t" + devices);
  CHECK(gids(record.qemu.pid) == "Gid:\t" + own + "\t" + own + "\t" + own + "\t" + own);
}

}  // namespace
}  // namespace bothy
