#include "store/sqlite-rows.h"

#include <kj/debug.h>
#include <kj/vector.h>

namespace bothy {
namespace {

constexpr uint32_t MOST_UID = UINT32_MAX - 1;

// Of a statement that names one row by its key.
void requireRow(int changed, kj::StringPtr noun, kj::StringPtr key) {
  if (changed == 1) return;
  throw RefusedRow{rowRefused(kj::str("there is no such ", noun, ": ", key))};
}

// What a column of 32 bits has, if it has that.
kj::Maybe<uint32_t> narrow(int64_t value) {
  if (value < 0 || value > UINT32_MAX) return nullptr;
  return static_cast<uint32_t>(value);
}

}  // namespace

SqliteRows::SqliteRows(SqliteDatabase& database)
    : addWorkspace(database,
                   "INSERT INTO workspaces (disk_mib, next_disk_mib, cpus, memory_mib, tier, rest, "
                   "failure, last_active_nanos, setup_done, setup_failure, sleeps, "
                   "sleep_since_nanos, sleep_bytes, sleep_format, sleep_secret, "
                   "sleep_started_nanos, sleep_agent_version, sleep_cpus, sleep_memory_mib, "
                   "id, name, image, created_nanos, user, user_name, labels, configured, "
                   "setup_steps) "
                   "VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"),
      updateWorkspace(database,
                      "UPDATE workspaces SET disk_mib=?, next_disk_mib=?, cpus=?, memory_mib=?, "
                      "tier=?, rest=?, failure=?, last_active_nanos=?, setup_done=?, "
                      "setup_failure=?, sleeps=?, sleep_since_nanos=?, sleep_bytes=?, "
                      "sleep_format=?, sleep_secret=?, sleep_started_nanos=?, "
                      "sleep_agent_version=?, sleep_cpus=?, sleep_memory_mib=? WHERE id=?"),
      removeWorkspace(database, "DELETE FROM workspaces WHERE id=?"),
      putMachine(database,
                 "INSERT INTO machines (uid, cid, workspace_id, secret, started_nanos, "
                 "agent_version, paused_nanos, cpus, memory_mib, released_nanos) "
                 "SELECT ?1,?2,?3,?4,?5,?6,?7,?8,?9,0 "
                 "WHERE EXISTS (SELECT 1 FROM workspaces WHERE id=?3) "
                 "ON CONFLICT (uid) DO UPDATE SET cid=excluded.cid, "
                 "workspace_id=excluded.workspace_id, secret=excluded.secret, "
                 "started_nanos=excluded.started_nanos, agent_version=excluded.agent_version, "
                 "paused_nanos=excluded.paused_nanos, cpus=excluded.cpus, "
                 "memory_mib=excluded.memory_mib, released_nanos=0 "
                 "WHERE machines.workspace_id IN ('', excluded.workspace_id)"),
      updateMachine(database,
                    "UPDATE machines SET secret=?, started_nanos=?, agent_version=?, "
                    "paused_nanos=?, cpus=?, memory_mib=? "
                    "WHERE uid=? AND cid=? AND workspace_id=? AND workspace_id<>''"),
      releaseMachine(database,
                     "UPDATE machines SET workspace_id='', secret=x'', started_nanos=0, "
                     "agent_version='', paused_nanos=0, cpus=0, memory_mib=0, released_nanos=? "
                     "WHERE workspace_id=? AND workspace_id<>''"),
      addOperation(database,
                   "INSERT INTO operations (step, parameters, deadline_nanos, id, workspace_id, "
                   "kind, request_id, actor) VALUES (?,?,?,?,?,?,?,?)"),
      updateOperation(database,
                      "UPDATE operations SET step=?, parameters=?, deadline_nanos=? WHERE id=?"),
      removeOperation(database, "DELETE FROM operations WHERE id=?"),
      addRequest(database,
                 "INSERT INTO requests (outcome, stage, fault, message, console, request_id, "
                 "asked, workspace_id) VALUES (?,?,?,?,?,?,?,?)"),
      updateRequest(database,
                    "UPDATE requests SET outcome=?, stage=?, fault=?, message=?, console=? "
                    "WHERE request_id=?"),
      workspaces(
          database,
          "SELECT disk_mib, rest, failure, id, name, image, cpus, memory_mib, created_nanos, "
          "tier, next_disk_mib, user, user_name, last_active_nanos, labels, configured, "
          "setup_steps, setup_done, setup_failure, sleeps, sleep_since_nanos, sleep_bytes, "
          "sleep_format, sleep_secret, sleep_started_nanos, sleep_agent_version, sleep_cpus, "
          "sleep_memory_mib FROM workspaces ORDER BY name"),
      machines(database,
               "SELECT uid, cid, workspace_id, secret, started_nanos, agent_version, "
               "released_nanos, paused_nanos, cpus, memory_mib FROM machines"),
      operations(database,
                 "SELECT step, parameters, deadline_nanos, id, workspace_id, kind, request_id, "
                 "actor FROM operations"),
      selectRequest(database,
                    "SELECT outcome, stage, fault, message, console, request_id, asked, "
                    "workspace_id FROM requests WHERE request_id=?"),
      addConfiguration(database, "INSERT INTO configurations (workspace_id, content) VALUES (?,?)"),
      selectConfiguration(database, "SELECT content FROM configurations WHERE workspace_id=?"),
      sessions(database),
      activity(database) {}

void SqliteRows::apply(const Change::Step& step) {
  // Those that may change come first, in the same order in both statements of a noun.
  auto changing = [](auto& statement, const auto& row) -> SqliteStatement& {
    using Row = kj::Decay<decltype(row)>;
    statement.again();
    if constexpr (kj::isSameType<Row, WorkspaceRow>()) {
      return statement.bind(int64_t(row.diskMib))
          .bind(int64_t(row.nextDiskMib))
          .bind(int64_t(row.cpus))
          .bind(int64_t(row.memoryMib))
          .bind(row.tier)
          .bind(static_cast<int64_t>(row.rest))
          .bind(row.failure)
          .bind(row.lastActiveNanos)
          .bind(int64_t(row.setupDone))
          .bind(row.setupFailure)
          .bind(int64_t(row.sleeps))
          .bind(row.sleep.sinceNanos)
          .bind(int64_t(row.sleep.bytes))
          .bind(row.sleep.format)
          .bind(row.sleep.secret.asPtr())
          .bind(row.sleep.startedNanos)
          .bind(row.sleep.agentVersion)
          .bind(int64_t(row.sleep.cpus))
          .bind(int64_t(row.sleep.memoryMib));
    } else if constexpr (kj::isSameType<Row, OperationRow>()) {
      return statement.bind(row.step).bind(row.parameters).bind(row.deadlineNanos);
    } else {
      return statement.bind(static_cast<int64_t>(row.outcome))
          .bind(int64_t(row.stage))
          .bind(int64_t(row.fault))
          .bind(row.message)
          .bind(row.console);
    }
  };
  KJ_SWITCH_ONEOF(step) {
    KJ_CASE_ONEOF(add, Change::Add<WorkspaceRow>) {
      auto& row = add.row;
      changing(addWorkspace, row)
          .bind(row.id)
          .bind(row.name)
          .bind(row.image)
          .bind(row.createdNanos)
          .bind(row.user)
          .bind(row.userName)
          .bind(row.labels)
          .bind(int64_t(row.isConfigured))
          .bind(int64_t(row.setupSteps))
          .finish();
    }
    KJ_CASE_ONEOF(update, Change::Update<WorkspaceRow>) {
      requireRow(changing(updateWorkspace, update.row).bind(update.row.id).finish(), "workspace",
                 update.row.id);
    }
    KJ_CASE_ONEOF(remove, Change::RemoveWorkspace) {
      releaseMachine.again().bind(remove.releasedNanos).bind(remove.id).finish();
      requireRow(removeWorkspace.again().bind(remove.id).finish(), "workspace", remove.id);
    }
    KJ_CASE_ONEOF(put, Change::PutMachine) {
      auto& row = put.row;
      // What is unique in a lease that stays is not written: it would write the indices too.
      const auto updated = updateMachine.again()
                               .bind(row.secret.asPtr())
                               .bind(row.startedNanos)
                               .bind(row.agentVersion)
                               .bind(row.pausedNanos)
                               .bind(int64_t(row.cpus))
                               .bind(int64_t(row.memoryMib))
                               .bind(int64_t(row.uid))
                               .bind(int64_t(row.cid))
                               .bind(row.workspaceId)
                               .finish();
      if (updated > 0) return;
      requireRow(putMachine.again()
                     .bind(int64_t(row.uid))
                     .bind(int64_t(row.cid))
                     .bind(row.workspaceId)
                     .bind(row.secret.asPtr())
                     .bind(row.startedNanos)
                     .bind(row.agentVersion)
                     .bind(row.pausedNanos)
                     .bind(int64_t(row.cpus))
                     .bind(int64_t(row.memoryMib))
                     .finish(),
                 "workspace, or no lease for it", row.workspaceId);
    }
    KJ_CASE_ONEOF(release, Change::ReleaseMachine) {
      auto& id = release.workspaceId;
      requireRow(releaseMachine.again().bind(release.releasedNanos).bind(id).finish(), "machine",
                 id);
    }
    KJ_CASE_ONEOF(add, Change::Add<OperationRow>) {
      auto& row = add.row;
      changing(addOperation, row)
          .bind(row.id)
          .bind(row.workspaceId)
          .bind(row.kind)
          .bind(row.requestId)
          .bind(row.actor)
          .finish();
    }
    KJ_CASE_ONEOF(update, Change::Update<OperationRow>) {
      requireRow(changing(updateOperation, update.row).bind(update.row.id).finish(), "operation",
                 update.row.id);
    }
    KJ_CASE_ONEOF(remove, Change::RemoveOperation) {
      requireRow(removeOperation.again().bind(remove.id).finish(), "operation", remove.id);
    }
    KJ_CASE_ONEOF(add, Change::Add<RequestRecord>) {
      auto& row = add.row;
      changing(addRequest, row).bind(row.requestId).bind(row.asked).bind(row.workspaceId).finish();
    }
    KJ_CASE_ONEOF(update, Change::Update<RequestRecord>) {
      auto& id = update.row.requestId;
      requireRow(changing(updateRequest, update.row).bind(id).finish(), "request", id);
    }
    KJ_CASE_ONEOF(add, Change::Add<SessionRow>) {
      sessions.add(add.row);
    }
    KJ_CASE_ONEOF(add, Change::Add<ConfigurationRow>) {
      addConfiguration.again().bind(add.row.workspaceId).bind(add.row.content.asPtr()).finish();
    }
    KJ_CASE_ONEOF(update, Change::Update<SessionRow>) {
      requireRow(sessions.update(update.row), "session", update.row.id);
    }
    KJ_CASE_ONEOF(replace, Change::ReplaceToken) {
      auto& id = replace.sessionId;
      requireRow(sessions.replaceToken(id, replace.hash), "session", id);
    }
    KJ_CASE_ONEOF(remove, Change::RemoveSession) {
      requireRow(sessions.remove(remove.id), "session", remove.id);
    }
    KJ_CASE_ONEOF(of, Change::ActivityStep) {
      activity.apply(of);
    }
  }
}

void SqliteRows::read(StoredState& state) {
  state.workspaces = readWorkspaces();
  kj::HashSet<kj::String> unusable;
  state.machines = readMachines(unusable);
  state.operations = readOperations();
  state.sessions = sessions.read();
  state.activities = activity.readActivities();
  state.wakeLocks = activity.readWakeLocks();
  for (auto& row : state.workspaces) {
    if (row.damage.size() == 0 && unusable.contains(row.id)) {
      row.damage = kj::str("the row of its machine cannot be used");
    }
    if (row.damage.size() == 0) continue;
    row.damage = kj::str("what the database has of it is damaged: ", row.damage);
    KJ_LOG(ERROR, "a workspace cannot be used, and is left as it is", row.id, row.name, row.damage);
    row.rest = Rest::FAILED;
    row.failure = kj::str(row.damage);
  }
}

kj::Array<WorkspaceRow> SqliteRows::readWorkspaces() {
  kj::Vector<WorkspaceRow> rows;
  workspaces.again();
  KJ_DEFER(workspaces.again());
  while (workspaces.step()) {
    WorkspaceRow row;
    auto number = [&](int column, kj::StringPtr name) -> uint32_t {
      KJ_IF_MAYBE (value, narrow(workspaces.integer(column))) {
        return *value;
      }
      row.damage = kj::str(name, " is ", workspaces.integer(column));
      return 0;
    };
    row.diskMib = number(0, "disk_mib");
    auto rest = workspaces.integer(1);
    switch (static_cast<Rest>(rest)) {
      case Rest::STOPPED:
      case Rest::RUNNING:
      case Rest::FAILED:
      case Rest::PAUSED:
      case Rest::EXPIRED:
      case Rest::HIBERNATED:
        row.rest = static_cast<Rest>(rest);
        break;
      default:
        row.damage = kj::str("this bothyd knows no state ", rest);
        break;
    }
    row.failure = workspaces.text(2);
    row.id = workspaces.text(3);
    row.name = workspaces.text(4);
    row.image = workspaces.text(5);
    row.cpus = number(6, "cpus");
    row.memoryMib = number(7, "memory_mib");
    row.createdNanos = workspaces.integer(8);
    row.tier = workspaces.text(9);
    row.nextDiskMib = number(10, "next_disk_mib");
    row.user = workspaces.text(11);
    row.userName = workspaces.text(12);
    row.lastActiveNanos = workspaces.integer(13);
    row.labels = workspaces.text(14);
    row.isConfigured = workspaces.integer(15) != 0;
    row.setupSteps = number(16, "setup_steps");
    row.setupDone = number(17, "setup_done");
    row.setupFailure = workspaces.text(18);
    row.sleeps = workspaces.integer(19);
    row.sleep = {workspaces.integer(20),   static_cast<uint64_t>(workspaces.integer(21)),
                 workspaces.text(22),      workspaces.blob(23),
                 workspaces.integer(24),   workspaces.text(25),
                 number(26, "sleep_cpus"), number(27, "sleep_memory_mib")};
    rows.add(kj::mv(row));
  }
  return rows.releaseAsArray();
}

kj::Array<MachineRow> SqliteRows::readMachines(kj::HashSet<kj::String>& unusable) {
  kj::Vector<MachineRow> rows;
  machines.again();
  KJ_DEFER(machines.again());
  while (machines.step()) {
    auto uid = narrow(machines.integer(0)).orDefault(0);
    auto cid = narrow(machines.integer(1)).orDefault(0);
    // Never root's.
    const bool hasUid = uid > 0 && uid <= MOST_UID;
    auto workspaceId = machines.text(2);
    if (workspaceId.size() > 0 && (!hasUid || cid == 0)) {
      unusable.upsert(kj::str(workspaceId), [](kj::String&, kj::String&&) {});
    }
    // Of one whose user id cannot be read the address is taken all the same.
    if (!hasUid && cid == 0) continue;
    rows.add(MachineRow{hasUid ? uid : 0, cid, kj::mv(workspaceId), machines.blob(3),
                        machines.integer(4), machines.text(5), machines.integer(6),
                        machines.integer(7), narrow(machines.integer(8)).orDefault(0),
                        narrow(machines.integer(9)).orDefault(0)});
  }
  return rows.releaseAsArray();
}

kj::Array<OperationRow> SqliteRows::readOperations() {
  kj::Vector<OperationRow> rows;
  operations.again();
  KJ_DEFER(operations.again());
  while (operations.step()) {
    rows.add(OperationRow{operations.text(3), operations.text(4), operations.text(5),
                          operations.text(0), operations.text(1), operations.text(6),
                          operations.integer(2), operations.text(7)});
  }
  return rows.releaseAsArray();
}

kj::Maybe<RequestRecord> SqliteRows::request(kj::StringPtr requestId) {
  selectRequest.again().bind(requestId);
  KJ_DEFER(selectRequest.again());
  if (!selectRequest.step()) return nullptr;
  RequestRecord record;
  auto outcome = selectRequest.integer(0);
  if (outcome >= 0 && outcome <= static_cast<int64_t>(RequestOutcome::STOPPED)) {
    record.outcome = static_cast<RequestOutcome>(outcome);
  }
  record.stage = selectRequest.integer(1);
  record.fault = selectRequest.integer(2);
  record.message = selectRequest.text(3);
  record.console = selectRequest.text(4);
  record.requestId = selectRequest.text(5);
  record.asked = selectRequest.text(6);
  record.workspaceId = selectRequest.text(7);
  return record;
}

kj::Maybe<kj::Array<const kj::byte>> SqliteRows::configuration(kj::StringPtr workspaceId) {
  selectConfiguration.again().bind(workspaceId);
  KJ_DEFER(selectConfiguration.again());
  if (!selectConfiguration.step()) return nullptr;
  return kj::Array<const kj::byte>(selectConfiguration.blob(0));
}

}  // namespace bothy
