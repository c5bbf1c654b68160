#include "doctor/host-examiner.h"

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "doctor/test-host.h"

namespace bothy {
namespace {

struct Fixture {
  kj::EventLoop loop;
  kj::WaitScope scope{loop};
  TestHost host;
  int looks = 0;
  kj::Own<kj::PromiseFulfiller<Machinery>> pending;
  HostExaminer examiner{
      host,
      ExaminedPlaces{kj::str("/var/lib/bothy"), kj::str("/run/bothy"), 700000, 10000, 1 << 30},
      [this]() {
        looks++;
        auto paf = kj::newPromiseAndFulfiller<Machinery>();
        pending = kj::mv(paf.fulfiller);
        return kj::mv(paf.promise);
      }};

  void answer(bool runsKvm) {
    scope.poll();
    Machinery machinery{};
    machinery.runsKvm = runsKvm;
    pending->fulfill(kj::mv(machinery));
  }
};

Verdict verdictOf(const Examination& examination, kj::StringPtr name) {
  for (auto& finding : examination.findings) {
    if (finding.name == name) return finding.verdict;
  }
  KJ_FAIL_REQUIRE("no such check", name);
}

TEST_CASE("S24 each examination sees the host as it is then") {
  Fixture f;
  auto first = f.examiner.examine();
  f.answer(false);
  auto before = first.wait(f.scope);
  CHECK(verdictOf(*before, "accelerator") == Verdict::WARN);
  CHECK(verdictOf(*before, "fuse") == Verdict::WARN);

  f.host.files["/dev/fuse"] = "";
  auto second = f.examiner.examine();
  f.answer(true);
  auto after = second.wait(f.scope);
  CHECK(verdictOf(*after, "accelerator") == Verdict::OK);
  CHECK(verdictOf(*after, "fuse") == Verdict::OK);
  CHECK(verdictOf(*before, "fuse") == Verdict::WARN);
}

TEST_CASE("who asks during an examination joins it, and who leaves ends it for nobody") {
  Fixture f;
  auto one = f.examiner.examine();
  auto two = f.examiner.examine();
  f.scope.poll();
  auto three = f.examiner.examine();
  CHECK(f.looks == 1);
  {
    auto leaves = kj::mv(one);
  }
  f.answer(true);
  CHECK(two.wait(f.scope).get() == three.wait(f.scope).get());

  // All leave: the next joins what goes on.
  {
    auto leaves = f.examiner.examine();
  }
  f.scope.poll();
  CHECK(f.looks == 2);
  auto next = f.examiner.examine();
  f.answer(true);
  next.wait(f.scope);
  CHECK(f.looks == 2);
}

TEST_CASE("an examination that fails tells its callers, and the next begins anew") {
  Fixture f;
  auto first = f.examiner.examine();
  f.scope.poll();
  f.pending->reject(KJ_EXCEPTION(FAILED, "no libvirt"));
  CHECK_THROWS(first.wait(f.scope));
  auto second = f.examiner.examine();
  f.answer(true);
  second.wait(f.scope);
  CHECK(f.looks == 2);
}

}  // namespace
}  // namespace bothy
