#pragma once

#include "metering/metering.h"
#include "schema/metering.capnp.h"

namespace bothy {

// Serves `Metering` to operators.
class MeteringFacet final: public rpc::Metering::Server {
public:
  // It outlives it.
  explicit MeteringFacet(Metering& metering) : metering(metering) {}

private:
  Metering& metering;

  kj::Promise<void> records(RecordsContext context) override;
  kj::Promise<void> open(OpenContext context) override;
};

}  // namespace bothy
