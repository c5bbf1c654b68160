#include "files/acting-user.h"

#include <errno.h>
#include <grp.h>
#include <kj/debug.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <exception>

namespace bothy {
namespace {

constexpr mode_t UMASK = 022;

// By number: libc's functions change every thread, and look for them.
long setEffective(long call, uint id) {
  return syscall(call, -1, id, -1);
}

bool isEffectively(uid_t uid, gid_t gid) {
  return geteuid() == uid && getegid() == gid;
}

void beRoot() {
  setEffective(SYS_setresuid, 0);
  setEffective(SYS_setresgid, 0);
  syscall(SYS_setgroups, 0, nullptr);
}

}  // namespace

ActingUser::ActingUser(const User& user)
    : uid(user.uid),
      gid(user.gid),
      groups(kj::heapArray(user.groups.asPtr())),
      homeDirectory(kj::str(user.home)),
      mayChange(geteuid() == 0 && user.uid != 0) {}

kj::Maybe<SpawnRequest::Credentials> ActingUser::credentials() const {
  if (!mayChange) return nullptr;
  return SpawnRequest::Credentials{uid, gid, kj::heapArray(groups.asPtr())};
}

ActingUser::Scope::Scope(const ActingUser& user) : changed(user.mayChange) {
  if (changed) {
    // The user last: with it go the capabilities that the others take.
    auto result = syscall(SYS_setgroups, user.groups.size(), user.groups.begin());
    setEffective(SYS_setresgid, user.gid);
    setEffective(SYS_setresuid, user.uid);
    if (result != 0 || !isEffectively(user.uid, user.gid)) {
      beRoot();
      KJ_FAIL_REQUIRE("cannot act as the user", user.uid, user.gid);
    }
  }
  umaskBefore = umask(UMASK);
}

ActingUser::Scope::~Scope() {
  umask(umaskBefore);
  if (!changed) return;
  beRoot();
  // Going on with half a user's rights would be worse than not going on.
  if (!isEffectively(0, 0)) std::terminate();
}

ActingUser::WriteScope::WriteScope(const ActingUser& user) : user(user) {
  KJ_REQUIRE(!user.mayChange || setEffective(SYS_setresuid, user.uid) == 0,
             "cannot act as the user");
}

ActingUser::WriteScope::~WriteScope() {
  if (!user.mayChange) return;
  if (setEffective(SYS_setresuid, 0) != 0) std::terminate();
}

}  // namespace bothy
