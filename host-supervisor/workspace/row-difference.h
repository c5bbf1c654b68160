#pragma once

#include "workspace/workspace-journal.h"

namespace bothy {

// Of one workspace: whether both have a lease, and the same one.
bool haveOneLease(const WorkspaceJournal::Rows& one, const WorkspaceJournal::Rows& other);

// Adds the steps that make `before` what `after` is.
void addDifference(Change& change, const WorkspaceJournal::Rows& before,
                   const WorkspaceJournal::Rows& after, int64_t nowNanos);

}  // namespace bothy
