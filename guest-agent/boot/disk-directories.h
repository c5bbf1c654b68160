#pragma once

#include <kj/string.h>

namespace bothy {

// Directories that lie on the data disk itself and not in the overlay that "/" is.  Container engines make
// overlays of their own there, and the kernel lets none delete whose upper layer lies in another overlay.
constexpr kj::StringPtr DISK_DIRECTORIES[] = {"/var/lib/containerd"_kj, "/var/lib/containers"_kj,
                                              "/var/lib/docker"_kj};

// Mounts each from the data disk, given by a handle on its mount, and makes it as needed.  What root has put in the
// place of one, a symlink for example, is left alone.  Throws if one cannot be mounted.
void mountDiskDirectories(int dataMount);

}  // namespace bothy
