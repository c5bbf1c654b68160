#pragma once

#include <kj/string.h>

#include "support/test-workspace.h"

namespace bothy {

// What awk(1) counts in `t` over the files of this name in /proc of each of the workspace's file workers: `program` is one of its rules.
double sumOfFileWorkers(TestWorkspace& workspace, kj::StringPtr file, kj::StringPtr program);

}  // namespace bothy
