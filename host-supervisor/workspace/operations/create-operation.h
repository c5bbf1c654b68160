#pragma once

#include "workspace/operations/start-operation.h"

namespace bothy {

// Makes the disk of a new workspace, and starts it if that is wanted.  If it cannot be made the workspace is deleted.
class CreateOperation final: public Operation {
public:
  static constexpr kj::StringPtr FIRST_STEP = "room"_kj;

  // `parameters` as parameters() gives them.
  CreateOperation(const Site& site, kj::StringPtr parameters);
  static kj::String parameters(bool thenStart) { return kj::str(thenStart ? "start" : ""); }

  // What came of it: the disk could not be made, and `next` deletes the workspace; or `next` starts it; or nothing comes next.
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
  const bool thenStart;
  kj::Maybe<StartReport::Failure> outcome;
  kj::Maybe<kj::Own<Operation>> following;

  kj::Promise<void> makeDisk();
  Settled followedBy(WorkspaceJournal::Turn turn, kj::Own<Operation> operation);
};

}  // namespace bothy
