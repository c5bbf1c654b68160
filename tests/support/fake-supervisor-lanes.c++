// The lanes of a FakeSupervisor, which go on without it.

#include <kj/debug.h>
#include <sys/socket.h>

#include "lane/lane-greeting.h"
#include "schema/agent.capnp.h"
#include "support/cutting-stream.h"
#include "support/fake-supervisor.h"

namespace bothy {

class FakeSupervisor::SystemServer final: public rpc::System::Server {
public:
  kj::Promise<void> report(ReportContext context) override {
    context.getResults().initReport().setBootId("the only boot");
    return kj::READY_NOW;
  }
};

// The bootstrap of a lane, with what its purpose offers.
class FakeSupervisor::AgentServer final: public rpc::Agent::Server {
public:
  AgentServer(FakeSupervisor& fake, rpc::LaneRequest::Which purpose)
      : fake(fake), purpose(purpose) {}

  kj::Promise<void> terminals(TerminalsContext context) override {
    const bool isView = purpose == rpc::LaneRequest::VIEW_TERMINALS;
    KJ_REQUIRE(isView || purpose == rpc::LaneRequest::INTERACTIVE, "this lane has no terminals");
    fake.terminal.isViewed = isView;
    context.getResults().setTerminals(fake.terminal.serve());
    return kj::READY_NOW;
  }
  kj::Promise<void> processes(ProcessesContext context) override {
    KJ_REQUIRE(purpose == rpc::LaneRequest::COMMANDS, "this lane has no programs");
    context.getResults().setProcesses(fake.program.serve());
    return kj::READY_NOW;
  }
  kj::Promise<void> system(SystemContext context) override {
    context.getResults().setSystem(kj::heap<SystemServer>());
    return kj::READY_NOW;
  }

private:
  FakeSupervisor& fake;
  const rpc::LaneRequest::Which purpose;
};

// A lane's life.
class FakeSupervisor::LaneServer final: public rpc::Lane::Server {
public:
  // `lent`: none where its descriptor is lost.
  LaneServer(FakeSupervisor& fake, kj::Maybe<kj::Own<Lent>> lent)
      : fake(fake), lent(kj::mv(lent)), kills(fake.kills) {
    ++fake.livesHeld;
  }
  ~LaneServer() noexcept(false) {
    --fake.livesHeld;
    if (kills != fake.kills) return;
    KJ_IF_MAYBE (l, lent) ::shutdown((*l)->fd, SHUT_RDWR);
  }

  kj::Maybe<int> getFd() override {
    return lent.map([](kj::Own<Lent>& l) { return l->fd.get(); });
  }
  kj::Promise<void> whenEnded(WhenEndedContext context) override {
    ++fake.reasonsAsked;
    KJ_IF_MAYBE (why, fake.laneEnd) {
      context.getResults().setReason(*why);
      return kj::READY_NOW;
    }
    return kj::NEVER_DONE;
  }

private:
  FakeSupervisor& fake;
  kj::Maybe<kj::Own<Lent>> lent;
  const kj::uint kills;
};

rpc::Lane::Client FakeSupervisor::newLane(rpc::LaneRequest::Reader wanted) {
  int ends[2];
  KJ_SYSCALL(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends));
  auto& clients = lent.add(kj::refcounted<Lent>(kj::AutoCloseFd(ends[0])));
  auto stream = io.lowLevelProvider->wrapSocketFd(
      kj::AutoCloseFd(ends[1]),
      kj::LowLevelAsyncIoProvider::ALREADY_CLOEXEC | kj::LowLevelAsyncIoProvider::ALREADY_NONBLOCK);
  serveEnd(kj::mv(stream), wanted);
  if (lostDescriptors > 0) {
    --lostDescriptors;
    return newLife();
  }
  return kj::heap<LaneServer>(*this, kj::addRef(*clients));
}

rpc::Lane::Client FakeSupervisor::newLife() {
  return kj::heap<LaneServer>(*this, nullptr);
}

kj::Own<kj::AsyncIoStream> FakeSupervisor::openLane(rpc::LaneRequest::Reader wanted) {
  auto pipe = io.provider->newTwoWayPipe();
  serveEnd(kj::mv(pipe.ends[0]), wanted);
  return kj::mv(pipe.ends[1]);
}

void FakeSupervisor::serveEnd(kj::Own<kj::AsyncIoStream> stream, rpc::LaneRequest::Reader wanted) {
  if (lanes < cuts.size()) {
    auto& budget = budgets.add(kj::heap<kj::uint>(cuts[lanes]));
    stream = kj::heap<CuttingStream>(kj::mv(stream), *budget);
  }
  ++lanes;
  KJ_IF_MAYBE (other, serveLane) {
    (*other)(kj::mv(stream), wanted);
    return;
  }
  auto why = refusal;
  if (wanted.isFiles() && wanted.getFiles().getUser() == "nobody") {
    why = rpc::Refusal::NO_SUCH_USER;
  }
  KJ_IF_MAYBE (reason, why) {
    auto message = kj::heap<capnp::MallocMessageBuilder>();
    message->initRoot<rpc::Welcome>().setRefused(*reason);
    auto refusing = writeGreeting(*stream, kj::mv(message)).attach(kj::mv(stream));
    refusals.add(refusing.eagerlyEvaluate([](kj::Exception&&) {}));
    return;
  }
  agent.generation = agentGeneration;
  if (wanted.isFiles()) {
    agent.welcome(kj::mv(stream), files.serve(wanted.getFiles().getAccess()));
  } else {
    agent.welcome(kj::mv(stream), kj::heap<AgentServer>(*this, wanted.which()));
  }
}

void FakeSupervisor::breakLanes() {
  terminal.detachAll();
  agent.breakConnections();
  refusals.clear();
}

void FakeSupervisor::forgetLanes() {
  ++kills;
  lent.clear();
}

}  // namespace bothy
