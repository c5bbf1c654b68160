#include "bench/host-program-beside.h"

#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

TEST_CASE("what a program beside has started and not waited for is counted, too") {
  // The outer shell waits for the inner one, which takes what there is, and is ended with it.
  const kj::StringPtr argv[] = {"/bin/sh"_kj, "-c"_kj, "/bin/sh -c 'while :; do :; done'; :"_kj};
  HostProgramBeside program(argv);
  sleep(1);
  // On a host with much else to do it has a small part.
  CHECK(program.end() > 0.02);
}

}  // namespace
}  // namespace bothy
