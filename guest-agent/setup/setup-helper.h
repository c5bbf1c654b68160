#pragma once

#include <kj/async-io.h>
#include <kj/refcount.h>

#include "process/programs.h"
#include "setup/setup-disk.h"
#include "setup/setup-worker.h"

namespace bothy {

// The agent's end of the process that does what set-up does to the disk.  Its calls are made one after the other.  Dropping it ends the process when
// that has done what it was told.
//
// A call fails that takes longer than `Directories::limit`, and all after it do: another helper has to be made.
class SetupHelper final: public kj::Refcounted {
public:
  struct Directories {
    kj::String journal = kj::str("/var/lib/bothy/setup");
    kj::String logs = kj::str(*rpc::SETUP_LOG_DIRECTORY);
    // A path: what is started.
    kj::String program = kj::str("/proc/self/exe");
    // How long it may take to do what it is told: what a step has written is written to the disk in it.
    kj::Duration limit = 5 * kj::MINUTES;
  };
  // Fails where it cannot be started.
  static kj::Promise<kj::Own<SetupHelper>> start(Programs& programs,
                                                 const Directories& directories);

  SetupHelper(Programs& programs, kj::Duration limit, kj::Own<kj::AsyncIoStream> socket,
              SpawnedProcess process);
  ~SetupHelper() noexcept(false);

  // How far they are.
  kj::Promise<SetupState> load(rpc::SetupPlan::Reader plan);
  // That the step begins.  None, or why it is not begun again.
  kj::Promise<kj::Maybe<StepFailure>> begin(uint32_t step);
  // None, or why it cannot be done, for people.
  kj::Promise<kj::Maybe<kj::String>> order(SetupFrame::Kind kind, uint32_t step,
                                           kj::ArrayPtr<const kj::byte> bytes = nullptr);
  // To the log of the step that was begun last.  Waits for nobody but the socket; what that does not take is lost.
  kj::Promise<void> output(kj::ArrayPtr<const kj::byte> bytes);

  kj::Own<SetupHelper> addRef() { return kj::addRef(*this); }

private:
  kj::Timer& timer;
  const kj::Duration limit;
  kj::Own<kj::AsyncIoStream> socket;
  bool isLost = false;

  struct Answer {
    SetupFrame frame;
    kj::String text;
  };
  kj::Promise<void> send(SetupFrame::Kind kind, uint32_t step, kj::ArrayPtr<const kj::byte> bytes);
  kj::Promise<Answer> answer();
  // Within the limit.
  kj::Promise<Answer> ask(SetupFrame::Kind kind, uint32_t step, kj::ArrayPtr<const kj::byte> bytes);
  template <typename T>
  kj::Promise<T> inTime(kj::Promise<T> work);
};

}  // namespace bothy
