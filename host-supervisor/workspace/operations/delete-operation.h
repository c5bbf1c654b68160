#pragma once

#include "workspace/operations/erasure.h"

namespace bothy {

// Destroys all that belongs to a workspace.
class DeleteOperation final: public Erasure {
public:
  // The rows with which one begins.
  static WorkspaceJournal::Rows beginning(const Site& site, Of of = Of::WORKSPACE);

  // `parameters`: of the row.
  DeleteOperation(const Site& site, kj::StringPtr parameters) : Erasure(site, parameters) {}

  kj::StringPtr kind() const override { return nameOf(OperationKind::DELETE); }
  kj::Promise<Settled> settle(kj::Maybe<kj::Exception> failure) override;
};

}  // namespace bothy
