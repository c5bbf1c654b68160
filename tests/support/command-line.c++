#include "support/command-line.h"

#include <kj/debug.h>
#include <kj/io.h>

#include "support/host-program.h"

namespace bothy {

kj::StringPtr CommandLine::program() {
  return BOTHY_PROGRAM ""_kj;
}

CommandLine::Result CommandLine::run(kj::ArrayPtr<const kj::StringPtr> arguments) {
  kj::Vector<kj::StringPtr> argv;
  auto socket = host.socket();
  argv.addAll(kj::arr<kj::StringPtr>(program(), "--socket"_kj, socket));
  argv.addAll(arguments);
  auto finished = runProgram(argv);
  return {finished.status, kj::mv(finished.out), kj::mv(finished.err)};
}

}  // namespace bothy
