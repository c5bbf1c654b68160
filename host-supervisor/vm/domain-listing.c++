#include "vm/domain-listing.h"

namespace bothy {

DomainListing::DomainListing(kj::Promise<kj::Array<LibvirtDomain>> asked)
    : known(asked
                .then(
                    [this](kj::Array<LibvirtDomain> domains) {
                      for (auto& domain : domains) {
                        conditions.upsert(kj::mv(domain.name), domain.condition);
                      }
                    },
                    [this](kj::Exception&& e) {
                      failed = true;
                      kj::throwFatalException(kj::mv(e));
                    })
                .fork()) {}

kj::Promise<kj::Maybe<LibvirtDomain::Condition>> DomainListing::conditionOf(kj::StringPtr name) {
  auto self = kj::addRef(*this);
  return known.addBranch().then(
      [self = kj::mv(self), name = kj::str(name)]() -> kj::Maybe<LibvirtDomain::Condition> {
        KJ_IF_MAYBE (condition, self->conditions.find(name)) {
          return *condition;
        }
        return nullptr;
      });
}

}  // namespace bothy
