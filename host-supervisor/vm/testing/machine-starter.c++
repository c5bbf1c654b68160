// A supervisor to be killed: starts the machine NAME in DIRECTORY, writes a line when it runs, and waits.
#include <stdio.h>
#include <unistd.h>

#include "vm/testing/machine-bed.h"

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  bothy::MachineBed bed(argv[1], bothy::MachineBed::Ownership::BORROWED);
  auto vm = bed.driver->start(bed.spec(argv[2])).wait(bed.io.waitScope);
  bed.ask(*vm, "hello");
  if (write(1, "running\n", 8) != 8) return 1;
  vm->onEnd().wait(bed.io.waitScope);
  return 0;
}
