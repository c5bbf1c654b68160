#pragma once

#include <kj/string.h>
#include <kj/vector.h>

namespace bothy {

// The settings that root of the workspace has put into sysctl.conf(5) and sysctl.d(5).

struct SysctlSetting {
  kj::String path;  // below /proc/sys: "net/ipv4/ip_forward"
  kj::String value;
  // A line that begins with "-": that it cannot be set is no fault.
  bool optional;
};

// The lines of a file.  Lines that are none are passed over.
kj::Vector<SysctlSetting> parseSysctl(kj::StringPtr text);

// All settings below `root` ("" for "/"), in the order in which they apply: a file hides those of its
// name in later directories of /etc/sysctl.d, /run/sysctl.d, /usr/local/lib/sysctl.d, /usr/lib/sysctl.d;
// the files go by name; /etc/sysctl.conf comes last.  At most MAX_SYSCTL_FILES files of
// MAX_SYSCTL_FILE_BYTES each are read.
kj::Vector<SysctlSetting> readSysctlFiles(kj::StringPtr root);

// Applies them.  Throws at the end if one could not be applied.
void applySysctlFiles();

constexpr size_t MAX_SYSCTL_FILES = 64;
constexpr size_t MAX_SYSCTL_FILE_BYTES = 64 * 1024;

}  // namespace bothy
