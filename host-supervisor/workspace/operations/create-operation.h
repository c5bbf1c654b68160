#pragma once

#include "workspace/operations/start-operation.h"

namespace bothy {

// Makes the disk of a new workspace, and starts it if that is wanted; or that of one that has expired, which is started.  If it cannot be made
// the workspace is deleted, or expires again.
class CreateOperation final: public Operation {
public:
  // The row with which one of a new workspace begins.
  static OperationRow beginning(const World& world, kj::StringPtr workspaceId, bool thenStart,
                                kj::StringPtr requestId);

  // The rows with which one of a workspace that has expired begins.
  static WorkspaceJournal::Rows beginningAgain(const Site& site);

  // `parameters`: of the row.
  CreateOperation(const Site& site, kj::StringPtr parameters);

  // Whether the one that this row is of starts the workspace.
  static bool startsIt(const OperationRow& row);
  // Whether it is one of a workspace that had expired.
  static bool isOfExpired(const OperationRow& row);

  // What came of it: the disk could not be made, and `next` deletes the workspace, or what is left of one that had expired; or `next` starts it; or nothing comes next.
  const kj::Maybe<StartReport::Failure>& failure() const { return outcome; }
  kj::Maybe<Operation&> next();

  kj::StringPtr kind() const override { return nameOf(OperationKind::CREATE); }
  kj::ArrayPtr<const Step> steps() const override;
  kj::Maybe<kj::Duration> limit() const override { return site.world.deadlines.start; }
  kj::Maybe<kj::Duration> limitOf(size_t step) const override;
  kj::Promise<void> run(size_t step) override;
  kj::Promise<Settled> settle(kj::Maybe<kj::Exception> failure) override;

private:
  const Site site;
  const bool isAgain;
  const bool thenStart;
  kj::Maybe<StartReport::Failure> outcome;
  kj::Maybe<kj::Own<Operation>> following;

  kj::Promise<void> makeDisk();
  // By the operation that is stored in its place.
  Settled followed(WorkspaceJournal::Turn turn);
};

}  // namespace bothy
