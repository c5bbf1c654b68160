#include "files/acting-user.h"

#include <unistd.h>
#include <catch2/catch_test_macros.hpp>

#include "files/files-facet.h"
#include "files/files-test-world.h"

namespace bothy {
namespace {

using Collected = FilesTestWorld::Collected;
using Disposition = rpc::Files::WriteOptions::Disposition;
using Reason = rpc::FileFailure::Reason;

TEST_CASE("what the kernel gives to root by its effective user is not the user's either") {
  if (geteuid() != 0) SKIP("needs another user");
  FilesTestWorld w;
  WorkspaceRoot root(openRoot("/"));
  rpc::Files::Client machine = newFilesFacet(w.host, root, w.user, w.limits);
  // A sysctl, which the file-system user does not guard: its own value would go in again.
  auto write = machine.writeRequest();
  write.setPath(bytesOf("/proc/sys/kernel/core_pattern"));
  write.initOptions().setDisposition(Disposition::PATCH);
  auto written = write.send().wait(w.scope);
  REQUIRE(written.getOutcome().isFailed());
  auto reason = written.getOutcome().getFailed().getReason();
  CHECK((reason == Reason::PERMISSION_DENIED || reason == Reason::READ_ONLY));

  // Maps of a process of root's, which tracing rights open.
  Collected collected;
  auto read = machine.readRequest();
  read.setPath(bytesOf("/proc/1/maps"));
  read.setSink(kj::heap<FilesTestWorld::CollectingSink>(collected));
  auto answer = read.send().wait(w.scope);
  CHECK(answer.getOutcome().isFailed());
  CHECK(collected.count == 0);
}

TEST_CASE("a scope ends with the agent as it was, and the user's groups gone") {
  if (geteuid() != 0) SKIP("needs another user");
  FilesTestWorld w;
  ActingUser user(w.user);
  {
    ActingUser::Scope scope(user);
    CHECK(geteuid() == w.user.uid);
    CHECK(getegid() == w.user.gid);
    CHECK(getuid() == 0);
  }
  CHECK(geteuid() == 0);
  CHECK(getegid() == 0);
  {
    ActingUser::WriteScope scope(user);
    CHECK(geteuid() == w.user.uid);
  }
  CHECK(geteuid() == 0);
  CHECK(w.world.has("root"));
}

}  // namespace
}  // namespace bothy
