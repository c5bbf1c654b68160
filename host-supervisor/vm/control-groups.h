#pragma once

#include <sys/types.h>

#include <kj/array.h>
#include <kj/string.h>

namespace bothy {

// Where the kernel shows control groups (cgroups(7)), one place for each hierarchy that is mounted.
kj::Array<kj::String> controlGroupMounts();

// The names of the groups below `mount` that libvirt made for machines.
kj::Array<kj::String> listControlGroups(kj::StringPtr mount);
// Whose a group is that the libvirt in a process has made: "qemu-embed-ROOT-NUMBER-MACHINE.libvirt-qemu".
kj::Maybe<kj::String> machineOfControlGroup(kj::StringPtr group);
// The groups in which a process of this machine is, where libvirt has made some for it; nullptr if that cannot be known, as it has ended.
kj::Maybe<kj::Array<kj::String>> controlGroupsOf(pid_t process, kj::StringPtr machine);

// Removes the group of this name that libvirt made below `mount` for a machine whose processes have ended, as removeControlGroups().
void removeControlGroup(kj::StringPtr mount, kj::StringPtr group);

// Removes the groups that libvirt made below `mount` for a machine whose processes have ended: in its directory
// of machines, by machineOfControlGroup().  libvirt removes them when it ends a machine, and nobody does
// when it is killed meanwhile; where systemd makes them, systemd removes them too.  Throws if one cannot be
// removed; none is success.
void removeControlGroups(kj::StringPtr mount, kj::StringPtr machine);

}  // namespace bothy
