#include "supervisor/session-connector.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/io.h>

#include "console/failure.h"
#include "supervisor/names.h"
#include "wire/escape.h"

namespace bothy {
namespace {

constexpr kj::StringPtr PREFIX = "bothy_s_"_kj;
// See `Sessions.create` (session.capnp).
constexpr size_t TOKEN_BYTES = 80;
// A token with blanks around it.
constexpr size_t MAX_FILE_BYTES = 1024;

kj::Exception refused() {
  return failure(
      "the session's token is refused: the session has expired or was revoked, or there never was "
      "one of it");
}

// What of a supervisor there is for a session.
class SessionSupervisor final: public rpc::Supervisor::Server {
public:
  SessionSupervisor(rpc::SessionGate::Client gate, kj::StringPtr token)
      : gate(kj::mv(gate)), token(kj::str(token)) {}

  auto redeem() {
    auto request = gate.redeemRequest();
    request.setToken(token);
    return request.send();
  }

private:
  rpc::SessionGate::Client gate;
  const kj::String token;

  using Redeemed = capnp::Response<rpc::SessionGate::RedeemResults>;

  // No session is another workspace's.
  static void require(Redeemed& redeemed, kj::StringPtr name) {
    auto outcome = redeemed.getOutcome();
    if (!outcome.isRedeemed()) kj::throwFatalException(refused());
    kj::StringPtr workspace = outcome.getRedeemed().getWorkspace();
    if (workspace == name) return;
    kj::throwFatalException(
        failure(kj::str("the session is one of ", escapeGuestText(workspace.asArray()),
                        ", and of no other workspace")));
  }

  // One round trip: the lane is asked for before it is known whether there is a session.
  kj::Promise<void> connect(ConnectContext context) override {
    auto params = context.getParams();
    auto redeeming = redeem();
    auto request = redeeming.getSession().connectRequest();
    request.setWanted(params.getWanted());
    request.setWake(params.getWake());
    if (params.hasProgress()) request.setProgress(params.getProgress());
    auto connecting = request.send();
    auto redeemed = co_await redeeming;
    require(redeemed, params.getName());
    auto connected = co_await connecting;
    auto outcome = connected.getOutcome();
    if (outcome.isAbsent()) kj::throwFatalException(refused());
    auto results = context.getResults();
    results.setOutcome(outcome);
    if (connected.hasLane()) results.setLane(connected.getLane());
  }

  kj::Promise<void> whenResumed(WhenResumedContext context) override {
    auto redeemed = co_await redeem();
    require(redeemed, context.getParams().getName());
    auto session = redeemed.getSession();
    auto request = session.stateRequest();
    for (;;) {
      auto answer = co_await request.send();
      auto outcome = answer.getOutcome();
      if (!outcome.isState()) kj::throwFatalException(refused());
      const auto state = outcome.getState();
      if (!isHalted(state)) {
        context.getResults().setState(state);
        co_return;
      }
      request = session.stateRequest();
      request.setIsOther(true);
      request.setThan(state);
    }
  }

  kj::Promise<void> start(StartContext context) override {
    auto params = context.getParams();
    auto redeemed = co_await redeem();
    require(redeemed, params.getName());
    auto request = redeemed.getSession().startRequest();
    if (params.hasProgress()) request.setProgress(params.getProgress());
    auto started = co_await request.send();
    auto outcome = started.getOutcome();
    if (outcome.isNotAllowed()) {
      kj::throwFatalException(failure(escapeGuestText(outcome.getNotAllowed().asArray())));
    }
    if (!outcome.isStart()) kj::throwFatalException(refused());
    context.getResults().setOutcome(outcome.getStart());
  }
};

class SessionLink final: public SupervisorLink {
public:
  SessionLink(kj::Own<SupervisorLink> innerParam, kj::StringPtr token) : inner(kj::mv(innerParam)) {
    auto made = kj::heap<SessionSupervisor>(inner->supervisor().castAs<rpc::SessionGate>(), token);
    served = *made;
    adapter = kj::mv(made);
  }

  rpc::Supervisor::Client supervisor() override { return adapter; }
  kj::Promise<void> onDisconnect() override { return inner->onDisconnect(); }
  kj::Promise<rpc::Session::Client> session() override {
    auto redeemed = co_await KJ_ASSERT_NONNULL(served).redeem();
    if (!redeemed.getOutcome().isRedeemed()) kj::throwFatalException(refused());
    co_return redeemed.getSession();
  }

private:
  kj::Own<SupervisorLink> inner;
  kj::Maybe<SessionSupervisor&> served;
  rpc::Supervisor::Client adapter = nullptr;
};

kj::StringPtr trimmed(kj::ArrayPtr<char> text) {
  auto isBlank = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  size_t begin = 0, end = text.size();
  while (end > begin && isBlank(text[end - 1])) --end;
  while (begin < end && isBlank(text[begin])) ++begin;
  text[end] = 0;
  return kj::StringPtr(text.begin() + begin, end - begin);
}

}  // namespace

SessionConnector::SessionConnector(Connector& inner, kj::StringPtr socket, kj::StringPtr tokenParam)
    : inner(inner), socket(kj::str(socket)) {
  if (tokenParam.size() > 0) useSession(kj::str(tokenParam));
}

kj::Own<SupervisorLink> SessionConnector::connect() {
  if (!usesSession()) return inner.connect();
  auto checked = requireToken(token, "BOTHY_SESSION");
  return kj::heap<SessionLink>(inner.connect(), checked);
}

void SessionConnector::useSocket(kj::StringPtr path) {
  isSocketGiven = true;
  inner.useSocket(path);
}

void SessionConnector::useSession(kj::String tokenParam) {
  token = kj::mv(tokenParam);
  if (!isSocketGiven) inner.useSocket(socket);
}

kj::String requireToken(kj::StringPtr text, kj::StringPtr source) {
  if (text.startsWith(PREFIX) && text.size() == TOKEN_BYTES) return kj::str(text);
  kj::throwFatalException(failure(kj::str(source, " holds no session's token: it begins with ",
                                          PREFIX, " and has ", TOKEN_BYTES, " characters"),
                                  WRONG_USAGE));
}

kj::String readToken(kj::StringPtr file) {
  if (file.startsWith(PREFIX)) {
    kj::throwFatalException(failure(
        "--session wants a file that holds the token, or -: whoever may list processes sees what "
        "stands in a command line (BOTHY_SESSION takes the token itself)",
        WRONG_USAGE));
  }
  kj::Maybe<kj::AutoCloseFd> opened;
  int fd = STDIN_FILENO;
  if (file != "-") {
    fd = open(file.cStr(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
      kj::throwFatalException(failure(kj::str("cannot read ", file, ": ", strerror(errno))));
    }
    opened = kj::AutoCloseFd(fd);
  }
  char text[MAX_FILE_BYTES + 1];
  size_t size = 0;
  // What follows the line is the command's.
  while (size < MAX_FILE_BYTES) {
    const auto count = read(fd, text + size, 1);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      kj::throwFatalException(failure(kj::str("cannot read ", file, ": ", strerror(errno))));
    }
    if (count == 0 || text[size] == '\n') break;
    ++size;
  }
  return requireToken(trimmed(kj::arrayPtr(text, size)), file == "-" ? "standard input"_kj : file);
}

}  // namespace bothy
