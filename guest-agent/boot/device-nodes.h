#pragma once

#include <kj/string.h>
#include <sys/types.h>

namespace bothy {

// What udev does with the nodes that devtmpfs makes (50-udev-default.rules): owners, modes and links.
// Once, at boot: a node that comes later is root's alone.

// Who may use a kind of node.
struct DeviceRule {
  const char* pattern;  // of fnmatch(3), below /dev
  gid_t group;
  mode_t mode;
};

// Groups of Debian's base-passwd, which have these numbers on every Debian.
constexpr gid_t TTY_GROUP = 5;
constexpr gid_t DISK_GROUP = 6;
constexpr gid_t KMEM_GROUP = 15;
constexpr gid_t DIALOUT_GROUP = 20;
constexpr gid_t CDROM_GROUP = 24;

// The first that fits counts; a node that none fits stays as the kernel made it.
constexpr DeviceRule DEVICE_RULES[] = {
    {"ptmx", TTY_GROUP, 0666},
    {"tty", TTY_GROUP, 0666},
    {"tty[0-9]*", TTY_GROUP, 0620},
    {"hvc[0-9]*", TTY_GROUP, 0620},
    {"tty[A-Z]*", DIALOUT_GROUP, 0660},
    {"vd[a-z]*", DISK_GROUP, 0660},
    {"sd[a-z]*", DISK_GROUP, 0660},
    {"loop[0-9]*", DISK_GROUP, 0660},
    {"loop-control", DISK_GROUP, 0660},
    {"sr[0-9]*", CDROM_GROUP, 0660},
    {"port", KMEM_GROUP, 0640},
    {"fuse", 0, 0666},
    {"net/tun", 0, 0666},
    {"vsock", 0, 0666},
    // Debian has a group of its own for it, which a packet brings; the machine has one user.
    {"kvm", 0, 0666},
};

// None: the node stays as it is.
kj::Maybe<const DeviceRule&> deviceRuleOf(kj::StringPtr name);

// Applies the rules to /dev.  Throws at the end if one could not be applied.
void setDeviceModes();

// /dev/fd, /dev/stdin, /dev/stdout, /dev/stderr, /dev/core.
void linkDeviceNames();

}  // namespace bothy
