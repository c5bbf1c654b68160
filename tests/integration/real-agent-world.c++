#include "real-agent-world.h"

#include <kj/debug.h>
#include <kj/filesystem.h>
#include <kj/thread.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include "lane/lane-greeting.h"

namespace bothy {

RealAgentWorld::RealAgentWorld() {
  char name[] = "/tmp/bothy-agent-test-XXXXXX";
  KJ_REQUIRE(mkdtemp(name) != nullptr);
  directory = kj::str(name);
  supervisor.serveLane = [this](kj::Own<kj::AsyncIoStream> client,
                                rpc::LaneRequest::Reader wanted) {
    lanes.add(carry(kj::mv(client), grantFor(wanted)));
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
  for (;;) {
    auto stream = co_await receiver->accept();
    supervisor.serve(stream.downcast<kj::AsyncCapabilityStream>());
  }
}

LaneGrant RealAgentWorld::grantFor(rpc::LaneRequest::Reader wanted) {
  LaneGrant grant;
  grant.lane = ++lastLane;
  if (wanted.isFiles()) {
    auto files = wanted.getFiles();
    grant.purpose = rpc::Purpose::FILES;
    grant.user = kj::str(files.getUser());
    grant.verbs = {rpc::Verb::READ_FILES};
    if (files.getAccess() == rpc::FileAccess::WRITE) grant.verbs.add(rpc::Verb::WRITE_FILES);
  } else if (wanted.isInteractive()) {
    grant.purpose = rpc::Purpose::INTERACTIVE;
    grant.verbs = {rpc::Verb::MACHINE, rpc::Verb::TERMINALS};
  } else {
    KJ_REQUIRE(wanted.isCommands(), "no test wants such a lane");
    grant.purpose = rpc::Purpose::COMMANDS;
    grant.verbs = {rpc::Verb::MACHINE, rpc::Verb::PROGRAMS};
  }
  return grant;
}

kj::Promise<void> RealAgentWorld::carry(kj::Own<kj::AsyncIoStream> client, LaneGrant grant) {
  auto stream = agent.dialRaw();
  co_await writeHello(*stream, agent.secret());
  auto message = kj::heap<capnp::MallocMessageBuilder>();
  grant.writeTo(message->initRoot<rpc::Grant>());
  co_await writeGreeting(*stream, kj::mv(message));
  auto toAgent = client->pumpTo(*stream), toClient = stream->pumpTo(*client);
  co_await toAgent.exclusiveJoin(kj::mv(toClient));
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
