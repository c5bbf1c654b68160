#include "real-agent-world.h"

#include <kj/debug.h>
#include <kj/filesystem.h>
#include <kj/thread.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/cutting-stream.h"

namespace bothy {
namespace {

constexpr kj::uint NEVER = 1 << 20;

}  // namespace

RealAgentWorld::RealAgentWorld() {
  char name[] = "/tmp/bothy-agent-test-XXXXXX";
  KJ_REQUIRE(mkdtemp(name) != nullptr);
  directory = kj::str(name);
  supervisor.processes = [this]() {
    return connectAgent().processesRequest().send().getProcesses();
  };
  supervisor.filesOf = [this](kj::StringPtr user) {
    auto request = connectAgent().filesRequest();
    request.setUser(user);
    return request.send().getFiles();
  };
  auto address = io.provider->getNetwork()
                     .parseAddress(kj::str("unix:", directory, "/bothyd.sock"))
                     .wait(io.waitScope);
  receiver = address->listen();
  accepting = accept().eagerlyEvaluate(nullptr);
}

RealAgentWorld::~RealAgentWorld() noexcept(false) {
  accepting = nullptr;
  kj::newDiskFilesystem()->getRoot().remove(kj::Path::parse(directory.slice(1)));
}

FinishedProgram RealAgentWorld::shell(kj::StringPtr script) {
  auto paf = kj::newPromiseAndCrossThreadFulfiller<FinishedProgram>();
  kj::Thread thread([&]() {
    auto whole =
        kj::str("cd ", directory, "; bothy=\"", BOTHY_PROGRAM, " --socket bothyd.sock\"; ", script);
    paf.fulfiller->fulfill(runProgram({"/bin/sh"_kj, "-c"_kj, whole}));
  });
  return paf.promise.wait(io.waitScope);
}

kj::Promise<void> RealAgentWorld::accept() {
  for (;;) supervisor.serve(co_await receiver->accept());
}

rpc::Agent::Client RealAgentWorld::connectAgent() {
  auto stream = agent.dialRaw();
  auto& budget = budgets.add(
      kj::heap<kj::uint>(lanes.size() < laneCuts.size() ? laneCuts[lanes.size()] : NEVER));
  auto& lane =
      *lanes.add(kj::heap<RpcConnection>(kj::heap<CuttingStream>(kj::mv(stream), *budget)));
  return agent.hello(lane).then(
      [](auto&& response) { return response.getOutcome().getWelcome().getAgent(); });
}

kj::String userName() {
  auto entry = getpwuid(getuid());
  KJ_REQUIRE(entry != nullptr, "this user has no name");
  return kj::str(entry->pw_name);
}

kj::uint following(kj::uint messages) {
  if (getenv("BOTHY_FULL") != nullptr) return messages + 1;
  return messages + 1 + messages / 8;
}

}  // namespace bothy
