#pragma once

#include <kj/array.h>
#include <kj/string.h>

namespace bothy {

// Where the kernel shows control groups (cgroups(7)), one place for each hierarchy that is mounted.
kj::Array<kj::String> controlGroupMounts();

// Removes the groups that libvirt made below `mount` for a machine whose processes have ended: in its directory
// of machines, named "...-MACHINE.libvirt-qemu".  libvirt removes them when it ends a machine, and nobody does
// when it is killed meanwhile; where systemd makes them, systemd removes them too.  Throws if one cannot be
// removed; none is success.
void removeControlGroups(kj::StringPtr mount, kj::StringPtr machine);

}  // namespace bothy
