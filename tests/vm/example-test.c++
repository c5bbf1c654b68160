// The program that schema/README.md quotes, against a real machine.

#include <string.h>

#include <catch2/catch_test_macros.hpp>

#include "support/host-program.h"
#include "support/test-workspace.h"

namespace bothy {
namespace {

TEST_CASE("the manual's example runs a program in a workspace and exits with its status") {
  SupervisedHost host;
  TestWorkspace workspace(host);
  auto socket = host.socket();
  auto run = [&](kj::StringPtr name, kj::ArrayPtr<const kj::StringPtr> argv) {
    kj::Vector<kj::StringPtr> words;
    words.addAll(kj::ArrayPtr<const kj::StringPtr>({BOTHY_EXAMPLE ""_kj, socket, name}));
    words.addAll(argv);
    return runProgram(words);
  };
  auto told = run("test", {"sh"_kj, "-c"_kj, "echo out; echo err >&2; cat; exit 7"_kj});
  CHECK(told.out == "out\n");
  CHECK(told.err == "err\n");
  CHECK(told.status == 7);
  CHECK(run("test", {"sh"_kj, "-c"_kj, "kill -TERM $$"_kj}).status == 128 + 15);

  auto much = run("test", {"seq"_kj, "300000"_kj});
  CHECK(much.status == 0);
  CHECK(much.out == hostOutput({"/usr/bin/seq"_kj, "300000"_kj}));

  // A machine that goes meanwhile.
  auto lost =
      runProgram({"/bin/bash"_kj, "-o"_kj, "pipefail"_kj, "-c"_kj,
                  kj::str(BOTHY_EXAMPLE " ", socket,
                          " test sh -c 'echo begun; exec sleep 1000' | { read line; kill -KILL ",
                          workspace.vsockDevice(), "; }")});
  CHECK(lost.status == 125);
  INFO(lost.err.cStr());
  CHECK(strstr(lost.err.cStr(), "answer.getReason() = deviceReplaced") != nullptr);
  workspace.reconnect();

  auto absent = run("nobody", {"true"_kj});
  CHECK(absent.status == 125);
  CHECK(strstr(absent.err.cStr(), "absent") != nullptr);
  auto missing = run("test", {"no-such-program"_kj});
  CHECK(missing.status == 125);
  CHECK(strstr(missing.err.cStr(), "programNotFound") != nullptr);
}

}  // namespace
}  // namespace bothy
