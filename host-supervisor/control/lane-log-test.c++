// What bothyd's log has of each lane.

#include <kj/debug.h>
#include <string.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

#include "control/control-server.h"
#include "control/lane-log.h"
#include "control/supervisor-fixture.h"
#include "support/log-record.h"

namespace bothy {
namespace {

// Who connects: not who runs the test, where it may.
constexpr uid_t CLIENT_UID = 4711;
constexpr gid_t CLIENT_GID = 4712;

// Sockets that are made meanwhile have these credentials.
class Credentials final {
public:
  Credentials() {
    if (geteuid() != 0) return;
    KJ_SYSCALL(setegid(CLIENT_GID));
    KJ_SYSCALL(seteuid(CLIENT_UID));
  }
  ~Credentials() noexcept(false) {
    KJ_SYSCALL(seteuid(getuid()));
    KJ_SYSCALL(setegid(getgid()));
  }
  KJ_DISALLOW_COPY_AND_MOVE(Credentials);
};

// One client, that comes at once.
class OneClient final: public kj::ConnectionReceiver {
public:
  explicit OneClient(kj::Own<kj::AsyncIoStream> stream) : stream(kj::mv(stream)) {}
  kj::Promise<kj::Own<kj::AsyncIoStream>> accept() override {
    if (stream.get() == nullptr) return kj::NEVER_DONE;
    return kj::mv(stream);
  }
  uint getPort() override { return 0; }

private:
  kj::Own<kj::AsyncIoStream> stream;
};

// A client whom the kernel knows, of a workspace "demo".
struct World: public Fixture {
  uid_t uid;
  gid_t gid;
  ControlServer listening{timer,
                          lanes.descriptors,
                          uidOwners,
                          [this](ClientIdentity identity) -> rpc::Supervisor::Client {
                            return kj::heap<SupervisorFacet>(rooms(), identity);
                          },
                          4,
                          kj::systemPreciseMonotonicClock()};
  kj::Own<OneClient> receiver;
  kj::Own<RpcConnection> connection;
  kj::Promise<void> serving = nullptr;

  World() {
    create("demo").wait(scope);
    kj::CapabilityPipe pipe = [&]() {
      Credentials credentials;
      uid = geteuid();
      gid = getegid();
      return io.provider->newCapabilityPipe();
    }();
    receiver = kj::heap<OneClient>(kj::mv(pipe.ends[0]));
    connection = kj::heap<RpcConnection>(kj::mv(pipe.ends[1]), 1);
    serving = listening.listen(*receiver).eagerlyEvaluate(nullptr);
  }

  template <typename Want>
  auto open(Want&& want) {
    auto request = connection->bootstrap().castAs<rpc::Supervisor>().connectRequest();
    request.setName("demo");
    want(request.initWanted());
    auto connected = request.send().wait(scope);
    REQUIRE(connected.getOutcome().isConnected());
    settle();
    return connected;
  }
};

kj::Vector<kj::StringPtr> linesWith(const LogRecord& log, kj::StringPtr words) {
  kj::Vector<kj::StringPtr> found;
  for (auto& line : log.lines) {
    if (strstr(line.cStr(), words.cStr()) != nullptr) found.add(line);
  }
  return found;
}

TEST_CASE("S25 the log has of each lane who has it, what was granted and why it ended") {
  World w;
  LogRecord log;
  constexpr uint64_t LIFETIME_MILLIS = 5000;
  auto reading = w.open([](auto wanted) {
    wanted.initFiles().setUser("root");
    wanted.getFiles().setAccess(rpc::FileAccess::READ);
    wanted.setLifetimeMillis(LIFETIME_MILLIS);
  });
  auto commands = w.open([](auto wanted) { wanted.setCommands(); });

  auto begins = linesWith(log, "a lane begins");
  REQUIRE(begins.size() == 2);
  uint64_t first = 0;
  for (auto& agent : w.served) {
    for (auto& grant : agent->grants) {
      if (grant.purpose == rpc::Purpose::FILES) first = grant.lane;
    }
  }
  auto client = kj::str("; pid = ", getpid(), "; uid = ", w.uid, "; gid = ", w.gid,
                        "; session = client ", w.start, ".1; actor = uid ", w.uid);
  CHECK(begins[0] ==
        kj::str("info a lane begins; workspace = demo; lane = ", first, client,
                "; purpose = files; verbs = readFiles; lifetimeMillis = 5000; user = root"));
  CHECK(begins[1] == kj::str("info a lane begins; workspace = demo; lane = ", first + 1, client,
                             "; purpose = commands; verbs = machine, programs; "
                             "lifetimeMillis = unlimited; user = "));

  CHECK(linesWith(log, "a lane ends").empty());
  w.advance(LIFETIME_MILLIS * kj::MILLISECONDS);
  w.settle();
  {
    auto dropped = kj::mv(commands);
  }
  w.settle();
  auto ends = linesWith(log, "a lane ends");
  REQUIRE(ends.size() == 2);
  CHECK(ends[0] ==
        kj::str("info a lane ends; workspace = demo; lane = ", first, "; why = expired"));
  CHECK(ends[1] ==
        kj::str("info a lane ends; workspace = demo; lane = ", first + 1, "; why = closed"));
}

struct Lines {
  kj::EventLoop loop;
  kj::WaitScope scope{loop};
  kj::TimerImpl timer{kj::origin<kj::TimePoint>()};
  LaneLog lanes{timer};
  LogRecord log;

  void begin(uint64_t number, uid_t uid) { lanes.begin("demo", LaneGrant(), {number, 0, uid, 0}); }
  void end(uint64_t number, uid_t uid) {
    lanes.end("demo", number, rpc::LaneEnd::CLOSED, {number, 0, uid, 0});
  }
  void noAnswer(uint64_t number, uid_t uid) {
    lanes.noAnswer("demo", "nothing listens", {number, 0, uid, 0});
  }
  void endSecond() {
    timer.advanceTo(timer.now() + 1 * kj::SECONDS);
    scope.poll();
  }
};

constexpr uid_t LOUD = 4713, QUIET = 4714;
constexpr uint64_t TOO_MANY = 50;

TEST_CASE(
    "S08 one user makes only so many lines about lanes a second, and none of another's is lost") {
  Lines w;
  // However many clients he has.
  for (uint64_t i = 0; i < MOST_GRANT_LINES + TOO_MANY; ++i) w.begin(i, LOUD);
  CHECK(w.log.lines.size() == MOST_GRANT_LINES);
  for (uint64_t i = 0; i < MOST_OTHER_LANE_LINES + 2 * TOO_MANY; i += 2) {
    w.end(i, LOUD);
    w.noAnswer(i, LOUD);
  }
  constexpr auto MOST = MOST_GRANT_LINES + MOST_OTHER_LANE_LINES;
  CHECK(w.log.lines.size() == MOST);
  w.begin(1, QUIET);
  w.end(1, QUIET);
  CHECK(w.log.lines.size() == MOST + 2);
  w.endSecond();
  REQUIRE(w.log.lines.size() == MOST + 3);
  CHECK(w.log.lines.back() == kj::str("warning lines about a user's lanes are left out; uid = ",
                                      LOUD, "; grants = ", TOO_MANY, "; others = ", 2 * TOO_MANY));
  w.begin(1, LOUD);
  w.noAnswer(1, LOUD);
  CHECK(w.log.lines.size() == MOST + 5);
  w.endSecond();
  CHECK(w.log.lines.size() == MOST + 5);
}

TEST_CASE("S25 however many lanes of a user end or are not answered, the log has what is granted") {
  Lines w;
  for (uint64_t i = 0; i < 10 * MOST_OTHER_LANE_LINES; ++i) {
    w.end(i, LOUD);
    w.noAnswer(i, LOUD);
  }
  w.begin(1, LOUD);
  CHECK(linesWith(w.log, "a lane begins").size() == 1);
}

TEST_CASE("S08 what a client says of a lane is short in the log, and forges no part of a line") {
  World w;
  LogRecord log;
  auto lane = w.open([](auto wanted) {
    wanted.initFiles().setUser("x\n; uid = 0\x1b[2J");
    wanted.getFiles().setAccess(rpc::FileAccess::READ);
  });
  auto begins = linesWith(log, "a lane begins");
  REQUIRE(begins.size() == 1);
  CHECK(begins[0].endsWith("; user = x\\n; uid = 0\\x1b[2J"));
  for (char c : begins[0]) CHECK(static_cast<unsigned char>(c) >= ' ');

  auto request = w.connection->bootstrap().castAs<rpc::Supervisor>().connectRequest();
  request.setName("demo");
  auto files = request.initWanted().initFiles();
  files.initUser(rpc::MAX_LANE_NAME_BYTES + 1);
  files.setAccess(rpc::FileAccess::READ);
  CHECK(request.send().wait(w.scope).getOutcome().isUnsupported());
  CHECK(linesWith(log, "a lane begins").size() == 1);
}

}  // namespace
}  // namespace bothy
