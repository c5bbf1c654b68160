#pragma once

#include <kj/array.h>
#include <sys/types.h>

#include "process/spawn.h"
#include "process/user-database.h"

namespace bothy {

// The user with whose rights files are touched.
//
//     ActingUser::Scope scope(user);   // from here on the kernel checks the user's rights, not root's
//
// A Scope sets the thread's effective user and groups, which takes all effective capabilities away, and umask
// 022.  The file-system user alone would not do: /proc/sys asks for the effective one, and CAP_SYS_ADMIN would
// stay.  No process of the user may signal or trace the agent meanwhile, for its real and saved user stay root.  It must not outlive a turn of the event loop: whatever else runs
// in the agent runs as root.  Without the privilege to change (a test), it sets the umask alone.
class ActingUser final {
public:
  explicit ActingUser(const User& user);
  KJ_DISALLOW_COPY(ActingUser);
  ActingUser(ActingUser&&) = default;

  class Scope final {
  public:
    explicit Scope(const ActingUser& user);
    ~Scope();
    KJ_DISALLOW_COPY_AND_MOVE(Scope);

  private:
    bool changed;
    mode_t umaskBefore;
  };

  // For writing to a file that is open: groups and umask were used when it was opened.  What is left is
  // that the kernel takes set-user-id bits away when a user writes, which it would not for root.
  class WriteScope final {
  public:
    explicit WriteScope(const ActingUser& user);
    ~WriteScope();
    KJ_DISALLOW_COPY_AND_MOVE(WriteScope);

  private:
    const ActingUser& user;
  };

  kj::StringPtr home() const { return homeDirectory; }

  // For a program that acts for the user; none where the agent cannot become another.
  kj::Maybe<SpawnRequest::Credentials> credentials() const;

private:
  uid_t uid;
  gid_t gid;
  kj::Array<gid_t> groups;
  kj::String homeDirectory;
  bool mayChange;
};

}  // namespace bothy
