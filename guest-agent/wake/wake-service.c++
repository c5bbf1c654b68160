#include "wake/wake-service.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/io.h>

#include "wake/wake-table.h"

namespace bothy {
namespace {

constexpr int LISTENER = 0, AGENT = 1;
constexpr size_t MOST_CONNECTIONS = 128;
// Of a user who is not root: each of his locks, and some questions.
constexpr size_t MOST_CONNECTIONS_OF_USER = 2 * MOST_WAKES_OF_USER;
constexpr size_t MOST_REQUEST_BYTES = 256;
// To say what he wants.
constexpr uint64_t REQUEST_MILLIS = 5000;
// Without locks and connections.
constexpr uint64_t IDLE_MILLIS = 10'000;

uint64_t nowMillis() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1'000'000;
}

struct Connection {
  kj::AutoCloseFd fd;
  uint64_t id;
  uid_t uid;
  uint64_t since;
  kj::Vector<char> request;
};

class Service final {
public:
  // Until it has nothing to do, or nobody to tell.
  void serve() {
    lastUse = nowMillis();
    while (tell()) {
      const auto now = nowMillis();
      if (!connections.empty() || !table.isEmpty()) lastUse = now;
      if (now - lastUse >= IDLE_MILLIS) return;
      wait(now);
    }
  }

private:
  WakeTable table;
  kj::Vector<Connection> connections;
  uint64_t lastId = 0;
  uint64_t lastUse = 0;
  WakeSummary told;

  // Whether somebody hears it.
  bool tell() {
    table.pass(nowMillis());
    const auto summary = table.summary();
    if (summary == told) return true;
    told = summary;
    for (;;) {
      const auto written = send(AGENT, &told, sizeof(told), MSG_NOSIGNAL);
      if (written < 0 && errno == EINTR) continue;
      return written == sizeof(told);
    }
  }

  uint64_t deadline(uint64_t now) const {
    auto first = table.nextEnd().orDefault(now + IDLE_MILLIS);
    for (auto& connection : connections) {
      if (!table.isHeldBy(connection.id)) {
        first = kj::min(first, connection.since + REQUEST_MILLIS);
      }
    }
    return kj::min(first, now + IDLE_MILLIS);
  }

  void wait(uint64_t now) {
    auto polled = kj::heapArrayBuilder<pollfd>(connections.size() + 2);
    const bool hasRoom = connections.size() < MOST_CONNECTIONS;
    polled.add(pollfd{hasRoom ? LISTENER : -1, POLLIN, 0});
    polled.add(pollfd{AGENT, 0, 0});
    for (auto& connection : connections) polled.add(pollfd{connection.fd.get(), POLLIN, 0});
    const auto until = deadline(now);
    if (poll(polled.begin(), polled.size(), until > now ? until - now : 0) < 0) return;
    if (polled[1].revents != 0) _exit(0);
    kj::Vector<Connection> left;
    const auto then = nowMillis();
    for (auto i : kj::indices(connections)) {
      auto& connection = connections[i];
      const bool isReadable = polled[i + 2].revents != 0;
      const bool isOver =
          !table.isHeldBy(connection.id) && then - connection.since >= REQUEST_MILLIS;
      if ((isReadable && !hear(connection, then)) || isOver) {
        table.connectionEnded(connection.id);
      } else {
        left.add(kj::mv(connection));
      }
    }
    connections = kj::mv(left);
    if (polled[0].revents != 0) accept(then);
  }

  void accept(uint64_t now) {
    const int accepted = accept4(LISTENER, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (accepted < 0) return;
    kj::AutoCloseFd fd(accepted);
    ucred peer;
    socklen_t size = sizeof(peer);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0) return;
    size_t ofUser = 0;
    for (auto& connection : connections) ofUser += connection.uid == peer.uid;
    if (peer.uid != 0 && ofUser >= MOST_CONNECTIONS_OF_USER) {
      say(fd, "no you have too many connections to this service\n");
      return;
    }
    connections.add(Connection{kj::mv(fd), ++lastId, peer.uid, now, {}});
  }

  // Whether it goes on.
  bool hear(Connection& connection, uint64_t now) {
    char buffer[MOST_REQUEST_BYTES];
    const auto count = recv(connection.fd, buffer, sizeof(buffer), MSG_DONTWAIT);
    if (count < 0) return errno == EAGAIN || errno == EINTR;
    if (count == 0) return false;
    // Who holds a lock has nothing more to say.
    if (table.isHeldBy(connection.id)) return true;
    for (char c : kj::arrayPtr(buffer, count)) {
      if (c == '\n') {
        auto request = kj::heapString(connection.request.begin(), connection.request.size());
        say(connection.fd, table.answer(request, connection.uid, connection.id, now));
        return table.isHeldBy(connection.id);
      }
      if (connection.request.size() >= MOST_REQUEST_BYTES) {
        say(connection.fd, "no the request is too long\n");
        return false;
      }
      connection.request.add(c);
    }
    return true;
  }

  // Who does not read it goes without.
  static void say(int fd, kj::StringPtr text) {
    if (send(fd, text.begin(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL) < 0) return;
  }
};

}  // namespace

bool isWakeService(int argc, const char* const* argv) {
  return argc == 2 && argv[1] == WAKE_SERVICE;
}

int wakeServiceMain() {
  signal(SIGHUP, SIG_IGN);
  const rlimit noCore = {0, 0};
  setrlimit(RLIMIT_CORE, &noCore);
  Service().serve();
  return 0;
}

}  // namespace bothy
