#pragma once

#include "workspace/operations/erasure.h"

namespace bothy {

// Destroys what a workspace that rests has on the host, and keeps what it is made of: a start makes it anew.
class ExpireOperation final: public Erasure {
public:
  // The rows with which one begins.
  static WorkspaceJournal::Rows beginning(const Site& site, Of of = Of::WORKSPACE);

  // `parameters`: of the row.
  ExpireOperation(const Site& site, kj::StringPtr parameters) : Erasure(site, parameters) {}

  kj::StringPtr kind() const override { return nameOf(OperationKind::EXPIRE); }
  kj::Promise<Settled> settle(kj::Maybe<kj::Exception> failure) override;
};

}  // namespace bothy
