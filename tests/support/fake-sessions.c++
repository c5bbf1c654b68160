#include "support/fake-sessions.h"

namespace bothy {
namespace {

constexpr kj::StringPtr ID = "0123456789abcdef0123456789abcdef"_kj;

void describe(rpc::SessionInfo::Builder info) {
  info.setId(ID);
  info.setWorkspace("demo");
  auto rights = info.initRights();
  rights.setTerminals(rpc::SessionRights::TerminalAccess::VIEW);
  rights.setFiles(rpc::SessionRights::FileRight::READ);
  rights.setBeneath("/srv"_kj.asBytes());
  info.setLabel("evil\x1b[2J");
  info.setActor("alice");
  info.setExpiresNanos(1'700'000'000'000'000'000);
}

}  // namespace

class FakeSessions::SessionsServer final: public rpc::Sessions::Server {
public:
  explicit SessionsServer(FakeSessions& fake) : fake(fake) {}

  kj::Promise<void> create(CreateContext context) override {
    auto request = context.getParams().getRequest();
    fake.asked.setRoot(request);
    auto outcome = context.getResults().initOutcome();
    KJ_IF_MAYBE (why, fake.invalid) {
      outcome.setInvalid(*why);
    } else if (request.getWorkspace() != "demo") {
      outcome.setAbsent();
    } else if (fake.areTooMany) {
      describe(outcome.initTooManySessions(1)[0]);
    } else {
      auto created = outcome.initCreated();
      describe(created.initInfo());
      created.getInfo().setRights(request.getRights());
      created.setToken(fake.token);
    }
    return kj::READY_NOW;
  }
  kj::Promise<void> list(ListContext context) override {
    auto params = context.getParams();
    // Two pages.
    auto results = context.getResults();
    auto list = results.initSessions(1);
    describe(list[0]);
    if (params.getAfter() == "") {
      results.setNext(ID);
    } else {
      list[0].setId("second");
    }
    return kj::READY_NOW;
  }
  kj::Promise<void> revoke(RevokeContext context) override {
    auto outcome = context.getResults().initOutcome();
    KJ_IF_MAYBE (why, fake.ending) {
      outcome.setEnding(*why);
    } else if (context.getParams().getWhich().getId() == ID) {
      fake.isRevoked = true;
      outcome.setRevoked();
    } else {
      outcome.setAbsent();
    }
    return kj::READY_NOW;
  }

private:
  FakeSessions& fake;
};

class FakeSessions::SessionServer final: public rpc::Session::Server {
public:
  SessionServer(FakeSessions& fake, NewLane newLane) : fake(fake), newLane(kj::mv(newLane)) {}

  kj::Promise<void> info(InfoContext context) override {
    describe(context.getResults().initInfo());
    return kj::READY_NOW;
  }
  kj::Promise<void> connect(ConnectContext context) override {
    auto results = context.getResults();
    auto outcome = results.initOutcome();
    KJ_IF_MAYBE (why, fake.notAllowed) {
      outcome.setNotAllowed(*why);
    } else {
      results.setLane(newLane(context.getParams().getWanted()));
      outcome.initConnected().setStartedNanos(1);
    }
    return kj::READY_NOW;
  }
  kj::Promise<void> start(StartContext context) override {
    auto outcome = context.getResults().initOutcome();
    KJ_IF_MAYBE (why, fake.notAllowed) {
      outcome.setNotAllowed(*why);
    } else {
      ++fake.starts;
      outcome.initStart().initStarted().setState(rpc::WorkspaceState::RUNNING);
    }
    return kj::READY_NOW;
  }

private:
  FakeSessions& fake;
  NewLane newLane;
};

rpc::Sessions::Client FakeSessions::sessions() {
  return kj::heap<SessionsServer>(*this);
}

void FakeSessions::redeem(kj::StringPtr shown, rpc::SessionGate::RedeemResults::Builder results,
                          NewLane newLane) {
  ++redeemed;
  if (isRevoked || shown != token) {
    results.initOutcome().setRefused();
    return;
  }
  describe(results.initOutcome().initRedeemed());
  results.setSession(kj::heap<SessionServer>(*this, kj::mv(newLane)));
}

}  // namespace bothy
