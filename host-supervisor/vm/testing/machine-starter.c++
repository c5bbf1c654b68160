// A supervisor to be killed: starts the machine NAME, with NUMBER, in DIRECTORY, writes a line when it runs, and waits.
#include <stdlib.h>
#include <unistd.h>

#include "vm/testing/machine-bed.h"

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  bothy::MachineBed bed(argv[1], bothy::MachineBed::Ownership::BORROWED);
  auto vm = bed.driver->start(bed.spec(argv[2], atoi(argv[3]))).wait(bed.io.waitScope);
  bed.ask(*vm, "hello");
  if (write(1, "running\n", 8) != 8) return 1;
  vm->onEnd().wait(bed.io.waitScope);
  return 0;
}
