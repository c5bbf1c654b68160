#pragma once

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "rpc/granted-files.h"
#include "rpc/host-connections.h"
#include "rpc/test-notes.h"
#include "schema/limits.capnp.h"
#include "support/greeted-lane.h"

namespace bothy {

inline kj::Array<const kj::byte> secretOf(kj::byte filler) {
  auto secret = kj::heapArray<kj::byte>(rpc::SECRET_BYTES);
  for (auto& b : secret) {
    b = filler;
  }
  return kj::mv(secret);
}

class SomeFiles final: public rpc::Files::Server {
  kj::Promise<void> home(HomeContext context) override {
    context.getResults().setPath("/home"_kj.asBytes());
    return kj::READY_NOW;
  }
  kj::Promise<void> remove(RemoveContext context) override { return kj::READY_NOW; }
  kj::Promise<void> makeDirectory(MakeDirectoryContext context) override { return kj::NEVER_DONE; }
};

class SomeSystem final: public rpc::System::Server {
  kj::Promise<void> report(ReportContext context) override { return kj::READY_NOW; }
  kj::Promise<void> health(HealthContext context) override { return kj::NEVER_DONE; }
};

// Serves files on this event loop.
class FilesHere final: public FileLanes {
public:
  explicit FilesHere(kj::Timer& timer, MessageBudget& memory) : server(timer, memory) {}
  kj::OneOf<kj::Own<OfUser>, rpc::Refusal> find(const LaneGrant& grant) override {
    if (grant.user == "nobody") return rpc::Refusal::NO_SUCH_USER;
    return kj::Own<OfUser>(kj::heap<Somebody>(server));
  }

private:
  class Somebody final: public OfUser {
  public:
    explicit Somebody(LaneServer& server) : server(server) {}
    kj::Promise<kj::Maybe<kj::String>> serve(FileLane lane, kj::Own<VsockStream> stream) override {
      capnp::Capability::Client files = newGrantedFiles(kj::heap<SomeFiles>(), lane.grant.verbs);
      auto closed = kj::newPromiseAndFulfiller<kj::Maybe<kj::String>>();
      auto serving = server.serve(
          kj::mv(stream), kj::mv(files), {lane.generation, lane.grant.actor, lane.isBulk},
          [&fulfiller = *closed.fulfiller]() { fulfiller.fulfill(nullptr); });
      return serving.exclusiveJoin(closed.promise.attach(kj::mv(closed.fulfiller)));
    }

  private:
    LaneServer& server;
  };

  LaneServer server;
};

// Real streams and facets, virtual time.
struct TestConnections {
  kj::AsyncIoContext io = kj::setupAsyncIo();
  kj::WaitScope& scope = io.waitScope;
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()}, bootTimer{kj::origin<kj::TimePoint>()};
  GateKey key{secretOf(7)};
  MessageBudget memory{LANES_LIMITS};
  FilesHere files{timer, memory};
  Facets facets{[](auto) { return kj::heap<rpc::Terminals::Server>(); },
                [](auto) { return kj::heap<rpc::Processes::Server>(); }, kj::heap<SomeSystem>(),
                files, noNotes()};
  HostConnections connections{timer, bootTimer, key, facets, memory};

  kj::Own<kj::AsyncIoStream> dialRaw() {
    auto pipe = io.provider->newTwoWayPipe();
    connections.add(kj::mv(pipe.ends[1]));
    return kj::mv(pipe.ends[0]);
  }
  kj::Own<Lane> enter(const LaneGrant& grant) {
    return greet(scope, timer, dialRaw(), secretOf(7), grant);
  }
  kj::Own<Lane> enter(rpc::Purpose purpose = rpc::Purpose::CONTROL) {
    return enter(wholeGrant(purpose));
  }
  void ping(Lane& lane) {
    lane.bootstrap().castAs<rpc::AgentControl>().pingRequest().send().wait(scope);
  }
  rpc::Refusal refusal(Lane& lane) { return lane.answer().wait(scope).get<LaneRefused>().why; }
  template <typename Request>
  bool isAllowed(Request request) {
    return request.send()
        .ignoreResult()
        .then([]() { return true; },
              [](kj::Exception&& e) {
                CHECK(e.getType() == kj::Exception::Type::FAILED);
                return false;
              })
        .wait(scope);
  }

  void pass(kj::Duration time) {
    scope.poll();
    timer.advanceTo(timer.now() + time);
    scope.poll();
  }
};

}  // namespace bothy
