#pragma once

#include "workspace/operations/site.h"

namespace bothy {

// Destroys what a workspace has on the host, the key first.  Begun, it always ends: each step is tried until it succeeds.
class Erasure: public Operation {
public:
  static constexpr kj::StringPtr FIRST_STEP = "key"_kj;

  // Of a creation that failed nobody has asked for it, and the event of its end does not say so.  Nor of one that nobody uses.
  enum class Of { WORKSPACE, FAILED_CREATION, UNUSED };

  kj::ArrayPtr<const Step> steps() const override;
  kj::Maybe<kj::Duration> limitOf(size_t step) const override;
  kj::Promise<void> run(size_t step) override;

protected:
  // `parameters`: as parametersOf() has them.
  Erasure(const Site& site, kj::StringPtr parameters);
  static kj::StringPtr parametersOf(Of of);

  const Site site;
  const Of of;

private:
  bool mayHaveKey = true;

  kj::Promise<void> destroyKey();
  // What fails is tried again before the next step.
  kj::Promise<void> tryDestroyKey();
};

}  // namespace bothy
