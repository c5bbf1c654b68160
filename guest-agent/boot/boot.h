#pragma once

#include <kj/async.h>
#include <kj/function.h>
#include <kj/io.h>
#include <kj/timer.h>

#include "boot/command-line.h"
#include "boot/control-groups.h"
#include "boot/data-disk.h"
#include "boot/stage-log.h"

namespace bothy {

// What /usr/lib/bothy/image of the image says, as lines of key=value.
struct ImageName {
  kj::String name;
  kj::String version;
};
ImageName parseImageName(kj::StringPtr text);

// Brings a machine up, from the kernel's start of PID 1 to the point where programs can run, and then
// does the rest of what a boot is to do.
//
// Nothing that fails throws: it is reported, kept as a stage's failure, and boot goes on as far as it can,
// so that the supervisor can ask what is wrong.  Each stage does one job, so that no job suffers from
// the failure of another.
class Boot {
public:
  explicit Boot(Console& console);
  KJ_DISALLOW_COPY_AND_MOVE(Boot);

  // Loads what the kernel has as modules, vsock among it, and then calls `listen`, which throws nothing: both
  // before the first word on the console, which tells the host that it may dial.
  void openForHost(kj::Function<void()> listen);

  // All that programs need, in the order of README.md.  Once, without an event loop.
  void run();

  // What can wait until somebody has a prompt: a stage at a time, between which the event loop does
  // what else there is.
  kj::Promise<void> finish(kj::Timer& timer);

  // Whether setAsideTemporaryFiles() has left something to remove.
  bool hasOldTemporaryFiles() const { return oldTemporaryFiles; }
  // None: programs have none.
  kj::Maybe<const ControlGroups&> controlGroups() const { return groups; }

  kj::ArrayPtr<const Stage> stages() const { return log.stages(); }
  const DiskState& disk() const { return diskState; }
  const ImageName& image() const { return imageName; }
  // None: no caller can be known, and nobody may connect.
  kj::Maybe<kj::ArrayPtr<const kj::byte>> secret() const;
  // See switchRoot().
  kj::Maybe<int> dataMount() const;

private:
  Console& console;
  StageLog log;
  CommandLine commandLine;
  kj::Array<const kj::byte> secretBytes;
  DiskState diskState = DiskAbsent();
  ImageName imageName;
  kj::Maybe<kj::AutoCloseFd> data;
  bool oldTemporaryFiles = false;
  kj::Maybe<ControlGroups> groups;

  void readCommandLine();
  void assembleRoot();
  void mountDisk();
  void joinRoot();
  void prepareForPrograms();
  void nameAll();
};

// Opens /dev/console as standard input, output and error, whatever the kernel has left there.
void openConsole();

}  // namespace bothy
