#pragma once

#include <kj/array.h>
#include <kj/async.h>
#include <kj/refcount.h>

#include "doctor/finding.h"

namespace bothy {

// What one examination found; shared by all who wait for it.
struct Examination final: public kj::Refcounted {
  explicit Examination(kj::Array<Finding> findings) : findings(kj::mv(findings)) {}

  const kj::Array<Finding> findings;

  kj::Own<Examination> addRef() { return kj::addRef(*this); }
};

class Examiner {
public:
  // Every check, good or not, of the host as it is now.
  virtual kj::Promise<kj::Own<Examination>> examine() = 0;
};

}  // namespace bothy
