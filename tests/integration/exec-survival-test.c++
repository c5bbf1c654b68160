// `bothy exec`, the real program, with a real agent, when what lies between them breaks.

#include <catch2/catch_test_macros.hpp>

#include "real-agent-world.h"

namespace bothy {
namespace {

// Each program that is started writes a line into `starts`; both outputs are as long as the input.
void checkExec(RealAgentWorld& world) {
  auto result = world.shell(
      kj::str("seq 1 30000 > input; $bothy exec -u ", userName(), " demo -- sh -c 'echo >> ",
              world.directory,
              "/starts; tee /dev/stderr; exit 5' < input > out 2> err; code=$?; cat starts; "
              "cmp input out && cmp input err || head -c 300 err; exit $code"));
  CHECK(result.status == 5);
  CHECK(result.out == "\n");
  CHECK(result.err == "");
}

TEST_CASE("P41 wherever bothyd is killed, exec runs its command once, and whole") {
  bool wasWhole = false;
  kj::uint unnoticed = 0;
  for (kj::uint messages = 0; !wasWhole; messages = following(messages)) {
    INFO("killed after " << messages << " messages");
    RealAgentWorld world;
    world.supervisor.supervisorCuts.add(messages);
    checkExec(world);
    wasWhole = world.supervisor.kills == 0;
    // Whoever has a lane needs no bothyd any more.
    bool isUnnoticed = world.supervisor.connections == 1;
    CHECK((isUnnoticed || unnoticed == 0));
    if (isUnnoticed && !wasWhole) ++unnoticed;
  }
  CHECK(unnoticed > 0);
}

TEST_CASE("P41 wherever the lane breaks, exec runs its command once, and whole") {
  bool wasWhole = false;
  for (kj::uint messages = 0; !wasWhole; messages = following(messages)) {
    INFO("cut after " << messages << " messages");
    RealAgentWorld world;
    world.supervisor.cuts.add(messages);
    checkExec(world);
    wasWhole = world.supervisor.lanes == 1;
  }
}

TEST_CASE("P16 exec into a pipe that closes ends its command and says so") {
  RealAgentWorld world;
  auto result = world.shell(kj::str("{ $bothy exec -u ", userName(),
                                    " demo yes; echo $? > code; } 2> err | head -n 1; "
                                    "while test ! -s code; do :; done; cat code err"));
  CHECK(result.out == "y\n141\nbothy: nobody reads the output any more: the command is ended\n");
}

TEST_CASE("P16 exec onto a full disk ends its command and says so") {
  RealAgentWorld world;
  auto result = world.shell(kj::str("$bothy exec -u ", userName(), " demo yes > /dev/full"));
  CHECK(result.status == 125);
  CHECK(result.err ==
        "bothy: cannot write standard output: No space left on device: the command is ended\n");
}

TEST_CASE("P04 exec whose caller has closed standard error runs its command to the end") {
  RealAgentWorld world;
  auto result = world.shell(kj::str("$bothy exec -u ", userName(),
                                    " demo sh -c 'echo to errors >&2; echo to output' 2>&-"));
  CHECK(result.status == 0);
  CHECK(result.out == "to output\n");
}

TEST_CASE("P16 exec whose caller has closed standard output ends a command that writes to it") {
  RealAgentWorld world;
  auto result = world.shell(kj::str("$bothy exec -u ", userName(), " demo yes >&-"));
  CHECK(result.status == 125);
  CHECK(result.err ==
        "bothy: cannot write standard output: Bad file descriptor: the command is ended\n");
}

}  // namespace
}  // namespace bothy
