#pragma once

#include <kj/map.h>

#include "store/change.h"
#include "store/sqlite-activity.h"
#include "store/sqlite-database.h"
#include "store/sqlite-sessions.h"
#include "store/store.h"

namespace bothy {

// The tables of rows by noun.  What changes them is within a transaction of the caller's, and throws RefusedRow where that is the
// row's own fault.
class SqliteRows final {
public:
  explicit SqliteRows(SqliteDatabase& database);
  KJ_DISALLOW_COPY_AND_MOVE(SqliteRows);

  void apply(const Change::Step& step);

  // Rows that cannot be used are told as such.
  void read(StoredState& state);
  kj::Maybe<RequestRecord> request(kj::StringPtr requestId);
  kj::Maybe<kj::Array<const kj::byte>> configuration(kj::StringPtr workspaceId);

private:
  SqliteStatement addWorkspace, updateWorkspace, removeWorkspace, putMachine, updateMachine,
      releaseMachine, addOperation, updateOperation, removeOperation, addRequest, updateRequest,
      workspaces, machines, operations, selectRequest, addConfiguration, selectConfiguration;
  SqliteSessions sessions;
  SqliteActivity activity;

  kj::Array<WorkspaceRow> readWorkspaces();
  // `unusable`: receives the workspaces whose lease cannot be read whole.
  kj::Array<MachineRow> readMachines(kj::HashSet<kj::String>& unusable);
  kj::Array<OperationRow> readOperations();
};

}  // namespace bothy
