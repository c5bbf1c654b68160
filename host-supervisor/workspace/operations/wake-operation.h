#pragma once

#include "workspace/operations/site.h"

namespace bothy {

// Lets a workspace go on that is hibernated: a machine with the memory that was saved.  Where that cannot be used, another operation
// starts it from the same disk.
class WakeOperation final: public Operation {
public:
  // The rows with which one begins.
  static WorkspaceJournal::Rows beginning(const Site& site);

  explicit WakeOperation(const Site& site) : site(site) {}

  // Why it came to nothing.
  const kj::Maybe<kj::String>& failure() const { return whyFailed; }
  // The start that comes in its place, as the memory is lost.
  kj::Maybe<Operation&> next();

  kj::StringPtr kind() const override { return nameOf(OperationKind::WAKE); }
  kj::ArrayPtr<const Step> steps() const override;
  kj::Maybe<kj::Duration> limitOf(size_t step) const override;
  kj::Promise<void> run(size_t step) override;
  kj::Promise<size_t> resume(size_t step) override;
  kj::Promise<Settled> settle(kj::Maybe<kj::Exception> failure) override;

private:
  const Site site;
  kj::Maybe<kj::String> whyFailed;
  kj::Maybe<kj::Own<Operation>> following;
  // The memory is of no use, or is spent and its machine gone.
  bool isLost = false;
  kj::Duration took = 0 * kj::SECONDS;  // to read it
  // What has become of the guest, for people.
  kj::String seen;

  bool isSpent() const { return !site.journal.row().sleep.isThere(); }
  Image requireImage();
  kj::Promise<void> clear();
  kj::Promise<void> lease();
  kj::Promise<void> check();
  kj::Promise<void> restore();
  kj::Promise<void> spend();
  kj::Promise<void> goOn();
  kj::Promise<void> greet(Machine& machine);
  kj::Promise<Settled> settleLost(kj::StringPtr why);
  kj::String detail();
};

}  // namespace bothy
