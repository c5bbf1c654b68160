#pragma once

#include "workspace/operations/site.h"

namespace bothy {

// Destroys all that belongs to a workspace, the key first.
class DeleteOperation final: public Operation {
public:
  static constexpr kj::StringPtr FIRST_STEP = "key"_kj;

  // The rows with which one begins.  Of a failed creation nobody has asked for it, and the event of its end does not say so.
  enum class Of { WORKSPACE, FAILED_CREATION };
  static WorkspaceJournal::Rows beginning(const Site& site, Of of = Of::WORKSPACE);

  // `parameters`: as beginning() has stored them.
  DeleteOperation(const Site& site, kj::StringPtr parameters);

  kj::StringPtr kind() const override { return nameOf(OperationKind::DELETE); }
  kj::ArrayPtr<const Step> steps() const override;
  kj::Maybe<kj::Duration> limitOf(size_t step) const override;
  kj::Promise<void> run(size_t step) override;
  kj::Promise<Settled> settle(kj::Maybe<kj::Exception> failure) override;

private:
  const Site site;
  const Of of;
  bool mayHaveKey = true;

  kj::Promise<void> destroyKey();
  // What fails is tried again before the next step.
  kj::Promise<void> tryDestroyKey();
};

}  // namespace bothy
