#pragma once

#include <kj/async-io.h>
#include <kj/filesystem.h>
#include <kj/timer.h>
#include <sys/types.h>

#include "schema/supervisor.capnp.h"
#include "support/left-behind.h"
#include "wire/rpc-connection.h"

namespace bothy {

// A bothyd of a test's own, with a state directory, a runtime directory and machines that nobody else
// has.  The destructor ends all of it, whatever the test did to it, and keeps its logs where
// LOG_DIRECTORY says if the test has failed.
//
// Needs root, as bothyd does.
class SupervisedHost final {
public:
  struct Options {
    // Another bothyd than the one that is built.
    kj::StringPtr program = BOTHYD_PROGRAM;
    // More lines of its configuration.
    kj::StringPtr settings = "";
    // The only image that it has; empty: all that are built.
    kj::StringPtr image = "";
  };
  SupervisedHost();
  explicit SupervisedHost(Options options);
  ~SupervisedHost() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(SupervisedHost);

  kj::AsyncIoContext io;
  kj::WaitScope& scope;
  kj::Timer& timer;

  // The supervisor over a connection that is opened when it is first wanted, and again after a restart.
  rpc::Supervisor::Client supervisor();

  // A second connection, for whoever wants two.
  kj::Own<RpcConnection> connect();

  pid_t pid() const { return daemon; }
  // Waits for the end of a bothyd that ends by itself, and returns how it did, as waitpid() says it.
  int awaitEnd();
  // Ends bothyd with `signal` and starts it again.  Machines go on.
  void restart(int signal);
  // Ends bothyd with `signal` and waits for its end.
  void stop(int signal);
  void start();
  // Gives a bothyd that has no state yet what earlier ones have found of QEMU.
  void takeAbilities();

  // What clients do to a workspace, by its name.  An answer that is not the one hoped for fails the test.

  // nullptr: there is no such workspace.
  kj::Maybe<rpc::WorkspaceState> stateOf(kj::StringPtr workspace);
  void startWorkspace(kj::StringPtr workspace);
  rpc::Supervisor::StopKind stopWorkspace(kj::StringPtr workspace, uint32_t graceMillis = 30000);
  void deleteWorkspace(kj::StringPtr workspace);

  // Where the destructor keeps them if a test fails.
  void keepLogs();

  kj::StringPtr directory() const { return root; }
  kj::String socket() const { return kj::str(root, "/run/bothyd.sock"); }
  kj::String log() const { return kj::str(root, "/bothyd.log"); }

  // The time.  For the timer it goes on when the loop looks, and the test may have been elsewhere meanwhile.
  kj::TimePoint now() {
    scope.poll();
    return timer.now();
  }

  // Waits for `promise`, at most LIMIT; fails the test with what was waited for.
  template <typename T>
  T wait(kj::Promise<T> promise, kj::StringPtr what, kj::Duration limit = LIMIT) {
    now();
    return timer.timeoutAfter(limit, kj::mv(promise))
        .catch_([what = kj::heapString(what)](kj::Exception&& e) -> kj::Promise<T> {
          e.wrapContext(__FILE__, __LINE__, kj::heapString(what));
          return kj::mv(e);
        })
        .wait(scope);
  }

  // Longest that anything but a boot may take here: a fault if it is reached, not a figure.
  static constexpr kj::Duration LIMIT = 60 * kj::SECONDS;
  static constexpr kj::Duration BOOT_LIMIT = 180 * kj::SECONDS;

private:
  kj::String program;
  kj::String settings;
  kj::String root;
  LeftBehind leftBehind{root};
  pid_t daemon = -1;
  kj::Maybe<kj::Own<RpcConnection>> connection;
  int exceptionsBefore;

  void removeMachines();
};

}  // namespace bothy
