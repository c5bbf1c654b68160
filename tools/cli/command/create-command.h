#pragma once

#include "session/context.h"

namespace bothy {

// What `create` is asked for; zero and empty are bothyd's defaults.
struct NewWorkspace {
  kj::StringPtr name;
  kj::StringPtr image;
  kj::StringPtr requestId;
  kj::StringPtr tier;
  uint16_t cpus = 0;
  uint32_t memoryMib = 0;
  uint32_t diskMib = 0;
  bool start = true;
};

// Makes it and tells the user; throws a failure().
kj::Promise<void> createWorkspace(Context& context, const NewWorkspace& call);

}  // namespace bothy
