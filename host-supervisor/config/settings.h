#pragma once

#include <stdint.h>

#include <kj/array.h>
#include <kj/common.h>
#include <kj/string.h>

#include "capacity/capacity-policy.h"
#include "keys/protector-setting.h"
#include "tier/tier-table.h"

namespace bothy {

enum class LogFormat { TEXT, JSON };
enum class LogLevel { INFO, WARNING, ERROR };

// What bothyd is told at its start: defaults, overridden by a file, overridden by flags.
struct Settings {
  kj::String stateDir = kj::str("/var/lib/bothy");
  kj::String runtimeDir = kj::str("/run/bothy");
  // Empty: `bothyd.sock` in the runtime directory.
  kj::String socket;
  // Empty: the socket is its owner's alone (0600); else this group may use it too (0660).
  kj::String socketGroup;
  // Of sessions.  Empty: `sessions.sock` in the runtime directory.
  kj::String sessionSocket;
  // Empty: none; else this group may use it too, and it is 0660 unless `sessionSocketMode` says otherwise.
  kj::String sessionSocketGroup;
  // 0: 0600, or 0660 for a group.
  uint32_t sessionSocketMode = 0;
  // Of one workspace.
  uint32_t maxSessions = 16;
  // Empty: `images` in the state directory.
  kj::String imageDir;
  // Empty: libvirt embedded in bothyd, its files in the state directory.
  kj::String libvirtUri;

  // None: a file in the state directory; see keyProtector().
  kj::Maybe<ProtectorSetting> protector;

  // Every VM runs under a user id of its own from here.
  uint32_t firstUid = 700000;
  uint32_t uidCount = 10000;

  uint32_t defaultCpus = 1;
  uint32_t defaultMemoryMib = 512;
  uint32_t defaultDiskMib = 4096;

  TierTable tiers;
  // Of workspaces without a tier.
  IdlePolicy idle;
  CapacitySettings capacity;

  // How long a machine may take from its start to its agent's answer; 0: 30 with KVM, 120 without.
  uint32_t bootLimitSeconds = 0;

  uint32_t maxConnections = 256;

  LogFormat logFormat = LogFormat::TEXT;
  LogLevel logLevel = LogLevel::INFO;
  // Empty: standard error.
  kj::String logFile;

  kj::String socketPath() const;
  kj::String sessionSocketPath() const;
  kj::String imagePath() const;
  ProtectorSetting keyProtector() const;
};

// One setting as a person meets it: its name in the file is its flag without the dashes.  In capitals: what stands for a name of its own.
struct SettingDescription {
  kj::StringPtr name;
  // What it holds and its limits, one line.
  kj::StringPtr help;
};
kj::Array<SettingDescription> settingDescriptions();

// Sets one setting.  Returns what is wrong with the value, with its limit, if it is refused.
kj::Maybe<kj::String> set(Settings& settings, kj::StringPtr name, kj::StringPtr value);

// Reads lines of `name = value`; `#` begins a comment.  Returns every fault as `source:line: …`; a
// setting with a fault is left as it was.
kj::Array<kj::String> readSettings(Settings& settings, kj::StringPtr source, kj::StringPtr text);

// What no single setting shows: settings that do not fit each other.
kj::Array<kj::String> contradictions(const Settings& settings);

}  // namespace bothy
