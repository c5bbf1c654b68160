#pragma once

#include <kj/async.h>
#include <kj/map.h>
#include <kj/refcount.h>

#include "vm/libvirt-session.h"

namespace bothy {

// The domains of this host as libvirt told them once, for all who look for theirs at the same time.
class DomainListing final: public kj::Refcounted {
public:
  explicit DomainListing(kj::Promise<kj::Array<LibvirtDomain>> asked);
  KJ_DISALLOW_COPY_AND_MOVE(DomainListing);

  // nullptr: libvirt does not know it.
  kj::Promise<kj::Maybe<LibvirtDomain::Condition>> conditionOf(kj::StringPtr name);
  // Others may look into it: somebody does, and libvirt has not failed to answer.
  bool isOpen() const { return isShared() && !failed; }

private:
  kj::HashMap<kj::String, LibvirtDomain::Condition> conditions;
  bool failed = false;
  kj::ForkedPromise<void> known;
};

}  // namespace bothy
