#pragma once

#include "workspace/operations/site.h"

namespace bothy {

// Makes the disk of a workspace that does not run larger.
class ResizeOperation final: public Operation {
public:
  // The rows with which one begins.
  static WorkspaceJournal::Rows beginning(const Site& site, uint32_t wantedMib);

  // `parameters`: of the row.
  ResizeOperation(const Site& site, kj::StringPtr parameters);

  // Which the disk is to have, in MiB.
  uint32_t size() const { return wantedMib; }

  // What came of it: why the disk is as it was.
  struct Failure {
    kj::String why;
    // The host's disk could not hold it.
    bool noSpace;
  };
  const kj::Maybe<Failure>& failure() const { return outcome; }

  kj::StringPtr kind() const override { return nameOf(OperationKind::RESIZE); }
  kj::ArrayPtr<const Step> steps() const override;
  kj::Maybe<kj::Duration> limitOf(size_t step) const override;
  kj::Promise<void> run(size_t step) override;
  kj::Promise<Settled> settle(kj::Maybe<kj::Exception> failure) override;

private:
  const Site site;
  const uint32_t wantedMib;
  kj::Maybe<Failure> outcome;

  kj::Promise<bool> hasGrownLater();
  kj::Promise<bool> hasSize(uint32_t mib);
};

}  // namespace bothy
