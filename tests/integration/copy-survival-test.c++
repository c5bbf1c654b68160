// `bothy cp` into a workspace, the real program, with a real agent, when what lies between them breaks.

#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

#include "real-agent-world.h"

namespace bothy {
namespace {

// Who copies: one who has no right to write where the modes say no, where the test can be that.
kj::String copier() {
  return getuid() == 0 ? kj::str("nobody") : userName();
}

// Copies in a directory `to`, of which only `script` tells: what it wrote.  `$cp` is `bothy cp` as the copier, `$to`
// the directory as it names it.  Then waits until no name of a copy under way is left.
kj::String copy(RealAgentWorld& world, kj::StringPtr script) {
  auto result = world.shell(
      kj::str("chmod 711 .; mkdir to; chmod 777 to; to=demo:$PWD/to; cp=\"$bothy cp -u ", copier(),
              "\"; ", "seq 1 20000 > f; chmod 640 f; touch -d @1500000000.5 f; ", script,
              "; while find to -name '.*' 2>/dev/null | grep -q part; do :; done; ls -A to; chmod "
              "-R u+rwx ."));
  return kj::str(result.out, result.err);
}

void checkFile(RealAgentWorld& world) {
  CHECK(copy(world, "$cp f $to/f; echo $?; cmp f to/f; stat -c '%a %.1Y' to/f") ==
        "0\n640 1500000000.5\nf\n");
}

// A second copy of it would be denied what the first has done.
void checkTree(RealAgentWorld& world) {
  CHECK(copy(world,
             "mkdir -p d/sub; cp f d/sub; ln -s f d/sub/l; touch -d @1500000000.5 d; "
             "chmod 555 d/sub d; chmod 644 d/sub/f; $cp d $to; echo $?; diff -r d to/d; "
             "stat -c '%a %F' to/d to/d/sub to/d/sub/l") ==
        "0\n555 directory\n555 directory\n777 symbolic link\nd\n");
}

// It is there and right, or not there and told.
void checkInput(RealAgentWorld& world) {
  CHECK(copy(world,
             "$cp - $to/f < f 2> err; code=$?; "
             "if test $code = 0; then cmp f to/f; "
             "else cat err | grep -q 'cannot be read again' || cat err; cp f to; fi") == "f\n");
}

// Calls `check` with each number of messages after which the lane breaks, or bothyd is killed.
void cutEverywhere(kj::FunctionParam<void(RealAgentWorld& world)> check) {
  for (bool isLane : {false, true}) {
    bool wasWhole = false;
    for (kj::uint messages = 0; !wasWhole; messages = following(messages)) {
      INFO((isLane ? "the lane breaks" : "bothyd is killed")
           << " after " << messages << " messages");
      RealAgentWorld world;
      (isLane ? world.supervisor.cuts : world.supervisor.supervisorCuts).add(messages);
      check(world);
      wasWhole = isLane ? world.supervisor.lanes == 1 : world.supervisor.kills == 0;
    }
  }
}

TEST_CASE(
    "P41 wherever a connection breaks, a file is copied into a workspace, and nothing else is "
    "left") {
  cutEverywhere(checkFile);
}

TEST_CASE(
    "P41 wherever a connection breaks, a tree is copied into a workspace, and nothing else is "
    "left") {
  cutEverywhere(checkTree);
}

TEST_CASE(
    "P41 wherever a connection breaks, standard input is copied into a workspace, or not and "
    "told") {
  cutEverywhere(checkInput);
}

}  // namespace
}  // namespace bothy
