#include "process/runtime-directory.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace bothy {

namespace {

// Of /run/user.  Entered by name: who lists a directory has its lock meanwhile.
constexpr mode_t ALL_MODE = 0711;
constexpr mode_t OWN_MODE = 0700;

kj::AutoCloseFd openDirectory(int parent, const char* name, uint64_t more) {
  struct open_how how = {};
  how.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | more;
  return kj::AutoCloseFd(static_cast<int>(syscall(SYS_openat2, parent, name, &how, sizeof(how))));
}

// `more`: flags of openat2(2) on how the name is resolved.
kj::AutoCloseFd makeDirectory(int parent, const char* name, mode_t mode, uint64_t more) {
  auto existing = openDirectory(parent, name, more);
  if (existing.get() >= 0 || errno != ENOENT) return existing;
  if (mkdirat(parent, name, mode) < 0 && errno != EEXIST) return kj::AutoCloseFd();
  return openDirectory(parent, name, more);
}

}  // namespace

RuntimeDirectories::RuntimeDirectories(kj::StringPtr run, LoopTouches& touches)
    : run(kj::str(run)),
      touches(touches),
      directory(open(run.cStr(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {}

kj::Maybe<kj::String> RuntimeDirectories::ensure(const User& user) const {
  if (directory.get() < 0) return nullptr;
  auto name = kj::str(user.uid);
  auto own = [&]() {
    Touch touch(touches.markOfAnybody());
    auto all = makeDirectory(directory.get(), "user", ALL_MODE, 0);  // a mount of the boot's
    if (all.get() < 0) return kj::mv(all);
    return makeDirectory(all.get(), name.cStr(), OWN_MODE, RESOLVE_NO_XDEV);
  }();
  // Who lists his own holds up what follows.
  Touch touch(touches.markOf(user.uid));
  struct stat status;
  if (own.get() < 0 || fstat(own.get(), &status) < 0) return nullptr;
  // Owner before mode, so that nobody else's rights on it ever widen.
  if (status.st_uid != user.uid && fchown(own.get(), user.uid, user.gid) < 0) return nullptr;
  if ((status.st_mode & 07777) != OWN_MODE && fchmod(own.get(), OWN_MODE) < 0) return nullptr;
  return kj::str(run, "/user/", name);
}

}  // namespace bothy
