#pragma once

#include <fcntl.h>
#include <kj/debug.h>
#include <kj/io.h>
#include <kj/string.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

namespace bothy {

// For tests: a file system of which nobody answers, until this object is gone or has no `device`.
struct HangingDirectory {
  kj::String path;
  kj::AutoCloseFd device{open("/dev/fuse", O_RDWR | O_CLOEXEC)};
  bool isMounted;

  HangingDirectory() {
    char name[] = "/tmp/bothy-test-XXXXXX";
    KJ_REQUIRE(mkdtemp(name) != nullptr);
    path = kj::str(name);
    auto options = kj::str("fd=", device.get(), ",rootmode=40000,user_id=0,group_id=0,allow_other");
    isMounted = mount("hanging", name, "fuse", MS_NODEV | MS_NOSUID, options.cStr()) == 0;
  }
  ~HangingDirectory() {
    device = nullptr;
    if (isMounted) umount2(path.cStr(), MNT_DETACH);
    rmdir(path.cStr());
  }
};

}  // namespace bothy
