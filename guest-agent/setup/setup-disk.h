#pragma once

#include <kj/function.h>
#include <kj/io.h>

#include "setup/step-failure.h"

namespace bothy {

// How far the steps are.
struct SetupState {
  uint32_t done = 0;
  // How often step `done` has begun since it was to be done, or done again.
  uint32_t begun = 0;
  // Of step `done`.
  kj::Maybe<StepFailure> failure = nullptr;
};

// What set-up keeps on the workspace's disk: its journal, and the logs of its steps.  It blocks: a process of its own uses it (setup-worker.h).
class SetupDisk final {
public:
  // Directories, which are made.  `between`: for tests, called before each change of the disk.
  SetupDisk(
      kj::StringPtr journalDirectory, kj::StringPtr logDirectory,
      kj::Function<void()> between = [] {});
  ~SetupDisk() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(SetupDisk);

  // Of the steps `id`; where the journal is of others, or is none, nothing is done.
  SetupState load(kj::StringPtr id);
  // On the disk when it returns: after a crash there is this state or the one before.  What was written to the file system of the journal before is there too.
  void save(kj::StringPtr id, const SetupState& state);

  // Who may read a log besides root.
  enum class Readers { EVERYBODY, NOBODY };
  // From here on append() is to the log of this step.  What an earlier try has said is kept beside it.
  void beginLog(uint32_t step, Readers readers);
  // What cannot be written is lost.
  void append(kj::ArrayPtr<const kj::byte> bytes);

private:
  const kj::String journalDirectory;
  const kj::String logDirectory;
  kj::Function<void()> between;
  kj::AutoCloseFd log;
  uint64_t logBytes = 0;
  uint32_t logStep = 0;
  Readers logReaders = Readers::NOBODY;

  kj::AutoCloseFd openDirectory(kj::StringPtr path, mode_t mode);
  void openLog();
};

}  // namespace bothy
