#include "files/acting-user.h"

#include <errno.h>
#include <grp.h>
#include <kj/debug.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <exception>

namespace bothy {
namespace {

constexpr mode_t UMASK = 022;

// setfsuid(2) tells no error: asking for an impossible id tells the present one.
bool hasFileUser(uid_t uid, gid_t gid) {
  return setfsuid(static_cast<uid_t>(-1)) == static_cast<int>(uid) &&
         setfsgid(static_cast<gid_t>(-1)) == static_cast<int>(gid);
}

void beRoot() {
  setfsuid(0);
  setfsgid(0);
  syscall(SYS_setgroups, 0, nullptr);
}

}  // namespace

ActingUser::ActingUser(const User& user)
    : uid(user.uid),
      gid(user.gid),
      groups(kj::heapArray(user.groups.asPtr())),
      mayChange(geteuid() == 0) {}

kj::Maybe<SpawnRequest::Credentials> ActingUser::credentials() const {
  if (!mayChange) return nullptr;
  return SpawnRequest::Credentials{uid, gid, kj::heapArray(groups.asPtr())};
}

ActingUser::Scope::Scope(const ActingUser& user) : changed(user.mayChange) {
  if (changed) {
    // The groups first: it takes a capability that is not the file user's, but order keeps it so.
    auto result = syscall(SYS_setgroups, user.groups.size(), user.groups.begin());
    setfsgid(user.gid);
    setfsuid(user.uid);
    if (result != 0 || !hasFileUser(user.uid, user.gid)) {
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
  if (!hasFileUser(0, 0)) std::terminate();
}

ActingUser::WriteScope::WriteScope(const ActingUser& user) : user(user) {
  if (user.mayChange) setfsuid(user.uid);
}

ActingUser::WriteScope::~WriteScope() {
  if (!user.mayChange) return;
  // Each call tells the user before it: two in place of four.
  if (setfsuid(0) != static_cast<int>(user.uid)) std::terminate();
}

}  // namespace bothy
