#include "config/settings.h"

#include <stdlib.h>
#include <sys/un.h>

#include <kj/debug.h>
#include <kj/vector.h>

namespace bothy {
namespace {

constexpr size_t MAX_PATH_BYTES = 4095;
constexpr size_t MAX_NAME_BYTES = 255;
constexpr size_t MAX_SOCKET_PATH_BYTES = sizeof(sockaddr_un::sun_path) - 1;
// Settings of one tier each: what follows is its name.
constexpr kj::StringPtr TIER = "tier-"_kj;

using Fault = kj::Maybe<kj::String>;

Fault setPath(kj::String& target, kj::StringPtr value, size_t limit = MAX_PATH_BYTES) {
  if (!value.startsWith("/")) return kj::str("'", value, "' is not an absolute path");
  if (value.size() > limit) {
    return kj::str("'", value, "' has ", value.size(), " bytes; the limit is ", limit);
  }
  target = kj::heapString(value);
  return nullptr;
}

Fault setText(kj::String& target, kj::StringPtr value) {
  if (value.size() > MAX_NAME_BYTES) {
    return kj::str("it has ", value.size(), " bytes; the limit is ", MAX_NAME_BYTES);
  }
  target = kj::heapString(value);
  return nullptr;
}

Fault setNumber(uint32_t& target, kj::StringPtr value, uint32_t least, uint32_t most) {
  auto wrong = [&]() {
    return kj::str("'", value, "' is not a whole number from ", least, " to ", most);
  };
  if (value.size() == 0 || value.size() > 10) return wrong();
  uint64_t number = 0;
  for (char c : value) {
    if (c < '0' || c > '9') return wrong();
    number = number * 10 + (c - '0');
  }
  if (number < least || number > most) return wrong();
  target = number;
  return nullptr;
}

// "1.25", in hundredths.
Fault setFactor(uint32_t& target, kj::StringPtr value, uint32_t leastPercent, uint32_t most) {
  auto wrong = [&]() {
    return kj::str("'", value, "' is not a number from ", leastPercent / 100.0, " to ", most,
                   " with two decimals at most");
  };
  uint32_t whole = 0, hundredths = 0;
  auto point = value.findFirst('.').orDefault(value.size());
  if (setNumber(whole, kj::heapString(value.slice(0, point)), 0, most) != nullptr) return wrong();
  if (point < value.size()) {
    auto decimals = value.slice(point + 1);
    if (decimals.size() > 2 || setNumber(hundredths, decimals, 0, 99) != nullptr) return wrong();
    if (decimals.size() == 1) hundredths *= 10;
  }
  const auto percent = whole * 100 + hundredths;
  if (percent < leastPercent || percent > most * 100) return wrong();
  target = percent;
  return nullptr;
}

struct Setting {
  SettingDescription description;
  Fault (*set)(Settings&, kj::StringPtr);
};

constexpr Setting SETTINGS[] = {
    {{"state-dir"_kj, "absolute path: database, disks, images (default /var/lib/bothy)"_kj},
     [](Settings& s, kj::StringPtr v) { return setPath(s.stateDir, v); }},
    {{"runtime-dir"_kj,
      "absolute path: sockets and what a reboot may lose (default /run/bothy)"_kj},
     [](Settings& s, kj::StringPtr v) { return setPath(s.runtimeDir, v); }},
    {{"socket"_kj, "absolute path, at most 107 bytes (default RUNTIME-DIR/bothyd.sock)"_kj},
     [](Settings& s, kj::StringPtr v) { return setPath(s.socket, v, MAX_SOCKET_PATH_BYTES); }},
    {{"socket-group"_kj, "group that may use the socket too (default: none, mode 0600)"_kj},
     [](Settings& s, kj::StringPtr v) { return setText(s.socketGroup, v); }},
    {{"session-socket"_kj,
      "absolute path of the socket where sessions' tokens are redeemed, at most 107 bytes (default RUNTIME-DIR/sessions.sock)"_kj},
     [](Settings& s, kj::StringPtr v) {
       return setPath(s.sessionSocket, v, MAX_SOCKET_PATH_BYTES);
     }},
    {{"session-socket-group"_kj, "group that may use the session-socket too (default: none)"_kj},
     [](Settings& s, kj::StringPtr v) { return setText(s.sessionSocketGroup, v); }},
    {{"session-socket-mode"_kj,
      "of the session-socket: 0600, 0660 or 0666, since it gives nothing without a token (default 0600, or 0660 with a session-socket-group)"_kj},
     [](Settings& s, kj::StringPtr v) -> Fault {
       if (v == "0600") {
         s.sessionSocketMode = 0600;
       } else if (v == "0660") {
         s.sessionSocketMode = 0660;
       } else if (v == "0666") {
         s.sessionSocketMode = 0666;
       } else {
         return kj::str("'", v, "' is none of 0600, 0660 and 0666");
       }
       return nullptr;
     }},
    {{"max-sessions"_kj,
      "sessions of a workspace without a tier at a time, 1..10000 (default 16)"_kj},
     [](Settings& s, kj::StringPtr v) { return setNumber(s.maxSessions, v, 1, 10000); }},
    {{"image-dir"_kj, "absolute path of the installed images (default STATE-DIR/images)"_kj},
     [](Settings& s, kj::StringPtr v) { return setPath(s.imageDir, v); }},
    {{"libvirt-uri"_kj, "a QEMU driver, such as qemu:///system (default: embedded in bothyd)"_kj},
     [](Settings& s, kj::StringPtr v) { return setText(s.libvirtUri, v); }},
    {{"key-protector"_kj,
      "what the keys of disks are kept under: file:PATH (32 bytes), passphrase:PATH or "
      "credential:NAME of systemd (default file:STATE-DIR/keys/protector, made at first use)"_kj},
     [](Settings& s, kj::StringPtr v) -> Fault {
       auto parsed = parseProtector(v);
       if (parsed.is<kj::String>()) return kj::mv(parsed.get<kj::String>());
       s.protector = kj::mv(parsed.get<ProtectorSetting>());
       return nullptr;
     }},
    {{"first-uid"_kj, "first user id for VMs, 1000..2147483647 (default 700000)"_kj},
     [](Settings& s, kj::StringPtr v) { return setNumber(s.firstUid, v, 1000, 2147483647); }},
    {{"uid-count"_kj,
      "so many user ids, which limits the machines at one time, 1..100000 (default 10000)"_kj},
     [](Settings& s, kj::StringPtr v) { return setNumber(s.uidCount, v, 1, 100000); }},
    {{"default-cpus"_kj, "of a workspace that does not say, 1..16 (default 1)"_kj},
     [](Settings& s, kj::StringPtr v) { return setNumber(s.defaultCpus, v, 1, 16); }},
    {{"default-memory"_kj, "MiB of RAM, 256..1048576 (default 512)"_kj},
     [](Settings& s, kj::StringPtr v) { return setNumber(s.defaultMemoryMib, v, 256, 1048576); }},
    {{"default-disk"_kj, "MiB of disk, 64..16777216 (default 4096)"_kj},
     [](Settings& s, kj::StringPtr v) { return setNumber(s.defaultDiskMib, v, 64, 16777216); }},
    {{"tier-NAME"_kj,
      "what workspaces of the tier NAME have: cpus=2 memory=2048 disk=10240 sessions=3, in MiB, "
      "and where their disk is limited read=100 write=50 read-operations=5000 "
      "write-operations=2000 "
      "in a second, and what `idle` has; of free, pro, team and enterprise only what is to be "
      "different; none: there is no such tier"_kj},
     [](Settings&, kj::StringPtr) -> Fault { return kj::str("NAME stands for the tier's name"); }},
    {{"idle"_kj,
      "what becomes of workspaces without a tier that nobody uses: pause-after=30m warn-before=2m "
      "hibernate-after=10m expire-after=30d warn-expiry=3d (each that is done after a time may be "
      "never) session-grace=60s most-guest-wake=12h, and what counts as use, 0 or 1: "
      "count-sessions=1 count-input=1 count-commands=1 count-wake-locks=1 (these are the defaults, "
      "of tiers too)"_kj},
     [](Settings& s, kj::StringPtr v) -> Fault {
       if (v.size() == 0) return kj::str("no figure is given; they are ", idleFigureNames());
       return setIdleFigures(s.idle, v);
     }},
    {{"memory-overcommit"_kj,
      "machines may have so many times the host's memory less memory-reserve, 0.1..16 (default 1)"_kj},
     [](Settings& s, kj::StringPtr v) { return setFactor(s.capacity.memoryPercent, v, 10, 16); }},
    {{"memory-reserve"_kj,
      "MiB of the host's memory for the host itself, 0..1048576 (default an eighth, at most 4096)"_kj},
     [](Settings& s, kj::StringPtr v) {
       uint32_t kept = 0;
       auto fault = setNumber(kept, v, 0, MAX_MEMORY_MIB);
       if (fault == nullptr) s.capacity.keptMemoryMib = kept;
       return fault;
     }},
    {{"cpu-overcommit"_kj,
      "machines may have so many times the host's processors, 0.1..1000 (default 16)"_kj},
     [](Settings& s, kj::StringPtr v) { return setFactor(s.capacity.cpuPercent, v, 10, 1000); }},
    {{"disk-overcommit"_kj,
      "all disks, which are sparse, may have so many times the host's disk less disk-reserve, "
      "0..1000 (default 0: "
      "no limit)"_kj},
     [](Settings& s, kj::StringPtr v) { return setFactor(s.capacity.diskPercent, v, 0, 1000); }},
    {{"disk-reserve"_kj,
      "MiB of the host's disk that must be free for anything to be made, started or resized, "
      "0..16777216 (default "
      "256)"_kj},
     [](Settings& s, kj::StringPtr v) {
       return setNumber(s.capacity.keptDiskMib, v, 0, MAX_DISK_MIB);
     }},
    {{"boot-limit"_kj,
      "seconds until a machine's agent must answer, 1..3600 (default 30 with KVM, 120 without)"_kj},
     [](Settings& s, kj::StringPtr v) { return setNumber(s.bootLimitSeconds, v, 1, 3600); }},
    {{"max-connections"_kj,
      "clients at a time, 1..10000 (default 256); of one user but root a quarter"_kj},
     [](Settings& s, kj::StringPtr v) { return setNumber(s.maxConnections, v, 1, 10000); }},
    {{"log-format"_kj, "text or json (default text)"_kj},
     [](Settings& s, kj::StringPtr v) -> Fault {
       if (v == "text") {
         s.logFormat = LogFormat::TEXT;
       } else if (v == "json") {
         s.logFormat = LogFormat::JSON;
       } else {
         return kj::str("'", v, "' is neither text nor json");
       }
       return nullptr;
     }},
    {{"log-level"_kj, "info, warning or error (default info)"_kj},
     [](Settings& s, kj::StringPtr v) -> Fault {
       if (v == "info") {
         s.logLevel = LogLevel::INFO;
       } else if (v == "warning") {
         s.logLevel = LogLevel::WARNING;
       } else if (v == "error") {
         s.logLevel = LogLevel::ERROR;
       } else {
         return kj::str("'", v, "' is none of info, warning and error");
       }
       return nullptr;
     }},
    {{"log-file"_kj, "absolute path, appended to, mode 0600 (default: standard error)"_kj},
     [](Settings& s, kj::StringPtr v) { return setPath(s.logFile, v); }},
};

kj::String orBelow(const kj::String& path, const kj::String& directory, kj::StringPtr name) {
  return path.size() > 0 ? kj::str(path) : kj::str(directory, "/", name);
}

}  // namespace

kj::String Settings::socketPath() const {
  return orBelow(socket, runtimeDir, "bothyd.sock");
}
kj::String Settings::sessionSocketPath() const {
  return orBelow(sessionSocket, runtimeDir, "sessions.sock");
}
kj::String Settings::imagePath() const {
  return orBelow(imageDir, stateDir, "images");
}

ProtectorSetting Settings::keyProtector() const {
  KJ_IF_MAYBE (given, protector) {
    return {given->kind, kj::str(given->place), given->ifMissing};
  }
  return defaultProtector(stateDir);
}

kj::Array<SettingDescription> settingDescriptions() {
  return KJ_MAP(setting, SETTINGS) {
    return setting.description;
  };
}

kj::Maybe<kj::String> set(Settings& settings, kj::StringPtr name, kj::StringPtr value) {
  for (auto& setting : SETTINGS) {
    if (setting.description.name == name) return setting.set(settings, value);
  }
  if (name.startsWith(TIER)) return settings.tiers.set(name.slice(TIER.size()), value);
  return kj::str("there is no such setting; bothyd --help lists them");
}

kj::Array<kj::String> contradictions(const Settings& settings) {
  kj::Vector<kj::String> faults;
  auto checkSocket = [&](kj::StringPtr name, kj::StringPtr path) {
    if (path.size() <= MAX_SOCKET_PATH_BYTES) return;
    faults.add(kj::str(name, ": '", path, "' has ", path.size(), " bytes; the limit is ",
                       MAX_SOCKET_PATH_BYTES, ": set a shorter runtime-dir or ", name));
  };
  const auto socket = settings.socketPath(), sessionSocket = settings.sessionSocketPath();
  checkSocket("socket", socket);
  checkSocket("session-socket", sessionSocket);
  if (socket == sessionSocket) {
    faults.add(
        kj::str("session-socket: '", socket, "' is the socket of operators too: set another"));
  }
  if (uint64_t(settings.firstUid) + settings.uidCount > 4294967293u) {
    faults.add(kj::str("uid-count: ", settings.firstUid, " + ", settings.uidCount,
                       " leaves the range of user ids, which ends at 4294967293"));
  }
  return faults.releaseAsArray();
}

}  // namespace bothy
