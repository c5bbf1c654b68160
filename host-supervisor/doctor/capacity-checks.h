#pragma once

#include "doctor/examination.h"

namespace bothy {

// Whether bothyd is set to promise machines more than the host has.
Finding checkCapacity(const ExaminedPlaces& places);

}  // namespace bothy
