// The computer of a user of the platform, wherever it is in its life.

#include <kj/debug.h>
#include <signal.h>
#include <unistd.h>
#include <catch2/catch_test_macros.hpp>

#include "schema/user.capnp.h"
#include "support/host-program.h"
#include "support/supervised-host.h"

namespace bothy {
namespace {

using Done = rpc::Users::Done;

struct Platform {
  SupervisedHost host;
  kj::String name, id;

  auto ask(kj::StringPtr user) {
    auto request =
        host.supervisor().usersRequest().send().getUsers().castAs<rpc::Users>().ensureRequest();
    request.setUser(user);
    return request.send();
  }
  Done ensured(kj::StringPtr user) {
    auto answer = host.wait(ask(user), "a user's workspace", SupervisedHost::BOOT_LIMIT);
    auto outcome = answer.getOutcome();
    REQUIRE(outcome.isEnsured());
    auto workspace = outcome.getEnsured().getWorkspace();
    CHECK(workspace.getState() == rpc::WorkspaceState::RUNNING);
    if (name.size() == 0) name = kj::str(workspace.getSpec().getName());
    id = kj::str(workspace.getId());
    CHECK(workspace.getSpec().getName() == name);
    return outcome.getEnsured().getDone();
  }
  FinishedProgram bothy(kj::ArrayPtr<const kj::StringPtr> words) {
    kj::Vector<kj::StringPtr> all;
    auto socket = host.socket();
    all.add(BOTHY_PROGRAM);
    all.add("--socket");
    all.add(socket);
    all.addAll(words);
    return runProgram(all);
  }
};

TEST_CASE("P28 P57 a user is connected to his computer wherever it was, and has one") {
  Platform p;
  auto& host = p.host;
  // Two of a platform's back ends at once.
  auto first = p.ask("auth0|alice"), second = p.ask("auth0|alice");
  auto a = host.wait(kj::mv(first), "the first", SupervisedHost::BOOT_LIMIT);
  auto b = host.wait(kj::mv(second), "the second", SupervisedHost::BOOT_LIMIT);
  REQUIRE((a.getOutcome().isEnsured() && b.getOutcome().isEnsured()));
  CHECK(a.getOutcome().getEnsured().getDone() == Done::CREATED);
  CHECK(a.getOutcome().getEnsured().getWorkspace().getId() ==
        b.getOutcome().getEnsured().getWorkspace().getId());
  CHECK(p.ensured("auth0|alice") == Done::CONNECTED);
  CHECK(p.name.startsWith("auth0-alice-"));
  CHECK(p.bothy({"exec"_kj, p.name, "--"_kj, "sh"_kj, "-c"_kj, "echo mine > ~/file; sync"_kj})
            .status == 0);

  auto pause = host.supervisor().pauseRequest();
  pause.setName(p.name);
  REQUIRE(host.wait(pause.send(), "a pause").getOutcome().isPaused());
  CHECK(p.ensured("auth0|alice") == Done::RESUMED);
  host.stopWorkspace(p.name);
  CHECK(p.ensured("auth0|alice") == Done::STARTED);
  CHECK(p.bothy({"exec"_kj, p.name, "cat"_kj, "file"_kj}).out == "mine\n");

  // Killed while it starts: the next bothyd has the same one.
  host.stopWorkspace(p.name);
  {
    auto lost = p.ask("auth0|alice");
    host.timer.afterDelay(500 * kj::MILLISECONDS).wait(host.scope);
  }
  host.restart(SIGKILL);
  p.ensured("auth0|alice");

  // What has expired takes nothing of the host but its row, and is made anew.
  auto volume = kj::str(host.directory(), "/state/volumes/", p.id, ".qcow2");
  CHECK(access(volume.cStr(), F_OK) == 0);
  CHECK(p.bothy({"expire"_kj, p.name}).status != 0);
  CHECK(p.bothy({"expire"_kj, "-f"_kj, p.name}).status == 0);
  CHECK(access(volume.cStr(), F_OK) != 0);
  CHECK(host.stateOf(p.name) == rpc::WorkspaceState::EXPIRED);
  CHECK(p.ensured("auth0|alice") == Done::RECREATED);
  CHECK(p.bothy({"exec"_kj, p.name, "cat"_kj, "file"_kj}).status != 0);

  auto listed = p.bothy({"user"_kj, "ls"_kj});
  INFO(listed.out.cStr());
  CHECK(kj::StringPtr(listed.out).findFirst('|') != nullptr);
  CHECK(p.bothy({"user"_kj, "rm"_kj, "auth0|alice"_kj}).status != 0);
  CHECK(p.bothy({"user"_kj, "rm"_kj, "-f"_kj, "auth0|alice"_kj}).status == 0);
  CHECK(host.stateOf(p.name) == nullptr);
}

}  // namespace
}  // namespace bothy
