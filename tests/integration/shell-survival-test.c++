// `bothy exec -t`, the real program, with a real agent, when its lane breaks while the terminal is opened.

#include <catch2/catch_test_macros.hpp>

#include "real-agent-world.h"

namespace bothy {
namespace {

constexpr int BY_SIGTERM = 143;

TEST_CASE(
    "P07 wherever the lane breaks while a terminal is opened, there is one, and it is found") {
  bool wasWhole = false;
  for (kj::uint messages = 0; !wasWhole; messages = following(messages)) {
    INFO("cut after " << messages << " messages");
    RealAgentWorld world;
    world.supervisor.cuts.add(messages);
    // Each program that is started writes a line into `starts`, and ends when `go` is there.  What it says is seen for a
    // minute at most.
    auto result = world.shell(
        kj::str("$bothy exec -t -u ", userName(), " demo -- sh -c 'cd ", world.directory,
                "; echo >> starts; echo said; until test -e go; do sleep 0.01; done' "
                "< /dev/null > out 2> err & "
                "tries=0; until grep -q said out || test $tries -gt 6000; do "
                "tries=$((tries + 1)); sleep 0.01; done; "
                "kill -TERM $!; wait $!; code=$?; : > go; grep -c said out; cat starts; "
                "exit $code"));
    CHECK(result.status == BY_SIGTERM);
    CHECK(result.out == "1\n\n");
    wasWhole = world.supervisor.lanes == 1;
  }
}

}  // namespace
}  // namespace bothy
