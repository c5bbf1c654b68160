#include "vm/domain-listing.h"

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

using Condition = LibvirtDomain::Condition;

struct Asked {
  kj::EventLoop loop;
  kj::WaitScope scope{loop};
  kj::Own<kj::PromiseFulfiller<kj::Array<LibvirtDomain>>> libvirt;
  kj::Own<DomainListing> listing;

  Asked() {
    auto paf = kj::newPromiseAndFulfiller<kj::Array<LibvirtDomain>>();
    libvirt = kj::mv(paf.fulfiller);
    listing = kj::refcounted<DomainListing>(kj::mv(paf.promise));
  }
};

TEST_CASE("P41 one answer of libvirt serves all who look for their machines") {
  Asked a;
  CHECK_FALSE(a.listing->isOpen());
  auto one = a.listing->conditionOf("one"), two = a.listing->conditionOf("two");
  auto none = a.listing->conditionOf("none");
  CHECK(a.listing->isOpen());
  auto domains = kj::heapArrayBuilder<LibvirtDomain>(2);
  domains.add(LibvirtDomain{kj::str("one"), Condition::RUNS});
  domains.add(LibvirtDomain{kj::str("two"), Condition::STALLED});
  a.libvirt->fulfill(domains.finish());
  CHECK(KJ_ASSERT_NONNULL(one.wait(a.scope)) == Condition::RUNS);
  CHECK(KJ_ASSERT_NONNULL(two.wait(a.scope)) == Condition::STALLED);
  CHECK(none.wait(a.scope) == nullptr);
  CHECK_FALSE(a.listing->isOpen());
}

TEST_CASE("P41 an answer that libvirt failed to give serves nobody else") {
  Asked a;
  auto one = a.listing->conditionOf("one");
  auto held = kj::addRef(*a.listing);
  a.libvirt->reject(KJ_EXCEPTION(OVERLOADED, "it hangs"));
  CHECK_THROWS_AS(one.wait(a.scope), kj::Exception);
  CHECK_FALSE(a.listing->isOpen());
}

}  // namespace
}  // namespace bothy
