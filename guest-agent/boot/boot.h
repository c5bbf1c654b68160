#pragma once

#include <kj/io.h>

#include "boot/command-line.h"
#include "boot/data-disk.h"
#include "boot/stage-log.h"

namespace bothy {

// What /usr/lib/bothy/image of the image says, as lines of key=value.
struct ImageName {
  kj::String name;
  kj::String version;
};
ImageName parseImageName(kj::StringPtr text);

// Brings a machine up, from the kernel's start of PID 1 to the point where programs can run.  Runs once,
// without an event loop, in two halves, so that the host can dial before the disks are mounted.
//
// Nothing that fails throws: it is told, kept as a stage's failure, and boot goes on as far as it can,
// so that the supervisor can ask what is wrong.
class Boot {
public:
  explicit Boot(Console& console);
  KJ_DISALLOW_COPY_AND_MOVE(Boot);

  // Everything, in the order of README.md.
  void run();

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

  void assembleRoot();
};

// Opens /dev/console as standard input, output and error, whatever the kernel has left there.
void openConsole();

}  // namespace bothy
