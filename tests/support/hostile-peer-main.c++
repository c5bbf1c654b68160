// A HostilePeer on descriptor 3: hostile-peer ATTACK PART reads|deaf

#include <kj/debug.h>
#include <kj/io.h>
#include <signal.h>
#include <sys/prctl.h>

#include "support/hostile-peer.h"

int main(int argc, char* argv[]) {
  KJ_REQUIRE(argc == 4);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  auto io = kj::setupAsyncIo();
  auto stream = io.lowLevelProvider->wrapSocketFd(kj::AutoCloseFd(3));
  bothy::HostilePeer(*stream, bothy::AttackPlan::parse(argv[1], argv[2], argv[3]))
      .attack()
      .wait(io.waitScope);
}
