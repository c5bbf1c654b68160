#pragma once

#include <kj/array.h>
#include <kj/string.h>
#include <kj/time.h>
#include <sys/types.h>

namespace bothy {

// A program of this host that runs beside what is measured, and ends with the object, with all that it started.
class HostProgramBeside final {
public:
  explicit HostProgramBeside(kj::ArrayPtr<const kj::StringPtr> argv);
  ~HostProgramBeside() noexcept;
  KJ_DISALLOW_COPY_AND_MOVE(HostProgramBeside);

  // Ends it.  The CPU time that it and what it has started took, over the time that it ran.
  double end();

private:
  const kj::TimePoint began;
  pid_t pid;  // 0: it has been ended
};

}  // namespace bothy
