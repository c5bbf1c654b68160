#pragma once

#include <kj/async-unix.h>
#include <kj/function.h>
#include <kj/io.h>
#include <kj/string.h>
#include <sys/types.h>

namespace bothy {

// A process that the kernel has ended for want of memory.
struct OomVictim {
  pid_t pid;
  kj::String name;
};

// From a record of /dev/kmsg.  None: it tells of something else, or is not the kernel's own: whoever may write there cannot
// pretend to be that.
kj::Maybe<OomVictim> parseOomVictim(kj::StringPtr record);

// Follows the kernel's log for such ends, from now on.
class OomWatch final {
public:
  using Found = kj::Function<void(const OomVictim&)>;
  // Does nothing where the log cannot be read.
  OomWatch(kj::UnixEventPort& eventPort, Found found);
  ~OomWatch() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(OomWatch);

private:
  kj::UnixEventPort& eventPort;
  Found found;
  kj::AutoCloseFd log;
  kj::Promise<void> following = nullptr;

  kj::Promise<void> follow();
};

}  // namespace bothy
