#pragma once

#include "doctor/examination.h"
#include "doctor/finding.h"
#include "doctor/host-facts.h"

namespace bothy {

// Whether this process may have the files open that as many machines take as fit on the host.
Finding checkOpenFiles(const HostFacts& facts, const ExaminedPlaces& places);

}  // namespace bothy
