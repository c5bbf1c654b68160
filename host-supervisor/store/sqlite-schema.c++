#include "store/sqlite-schema.h"

namespace bothy {
namespace {

// Appended to, never edited: a file of any age is brought up by those it lacks.
constexpr kj::StringPtr MIGRATIONS[] = {
    R"sql(
      CREATE TABLE workspaces (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        image TEXT NOT NULL,
        cpus INTEGER NOT NULL,
        memory_mib INTEGER NOT NULL,
        disk_mib INTEGER NOT NULL,
        uid INTEGER NOT NULL UNIQUE,
        cid INTEGER NOT NULL UNIQUE,
        state INTEGER NOT NULL,
        failure TEXT NOT NULL,
        secret BLOB NOT NULL,
        created_nanos INTEGER NOT NULL,
        started_nanos INTEGER NOT NULL,
        agent_version TEXT NOT NULL
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE events (
        number INTEGER PRIMARY KEY,
        time_nanos INTEGER NOT NULL,
        workspace TEXT NOT NULL,
        workspace_id TEXT NOT NULL,
        before INTEGER NOT NULL,
        after INTEGER NOT NULL,
        gone INTEGER NOT NULL,
        cause INTEGER NOT NULL,
        detail TEXT NOT NULL
      ) STRICT;
      CREATE TABLE requests (
        request_id TEXT PRIMARY KEY,
        asked TEXT NOT NULL,
        workspace_id TEXT NOT NULL REFERENCES workspaces(id) ON DELETE CASCADE
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX requests_by_workspace ON requests(workspace_id);
    )sql"_kj,
    R"sql(
      ALTER TABLE workspaces ADD COLUMN wanted_disk_mib INTEGER NOT NULL DEFAULT 0;
    )sql"_kj,
    R"sql(
      ALTER TABLE workspaces ADD COLUMN rebooting INTEGER NOT NULL DEFAULT 0;
    )sql"_kj,
    // Tables by noun.  `writer` has one row: the newest epoch, its last transaction, and the newest event's number, which is not
    // given again where that event is not kept.
    R"sql(
      CREATE TABLE machines (
        workspace_id TEXT PRIMARY KEY REFERENCES workspaces(id) ON DELETE CASCADE,
        uid INTEGER NOT NULL UNIQUE,
        cid INTEGER NOT NULL UNIQUE,
        secret BLOB NOT NULL,
        started_nanos INTEGER NOT NULL,
        agent_version TEXT NOT NULL
      ) STRICT, WITHOUT ROWID;
      INSERT INTO machines
        SELECT id, uid, cid, secret, started_nanos, agent_version FROM workspaces;
      CREATE TABLE workspaces_by_noun (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        image TEXT NOT NULL,
        cpus INTEGER NOT NULL,
        memory_mib INTEGER NOT NULL,
        disk_mib INTEGER NOT NULL,
        wanted_disk_mib INTEGER NOT NULL,
        state INTEGER NOT NULL,
        failure TEXT NOT NULL,
        rebooting INTEGER NOT NULL,
        created_nanos INTEGER NOT NULL
      ) STRICT, WITHOUT ROWID;
      INSERT INTO workspaces_by_noun
        SELECT id, name, image, cpus, memory_mib, disk_mib, wanted_disk_mib, state, failure,
               rebooting, created_nanos FROM workspaces;
      DROP TABLE workspaces;
      ALTER TABLE workspaces_by_noun RENAME TO workspaces;
      CREATE TABLE operations (
        id TEXT PRIMARY KEY,
        workspace_id TEXT NOT NULL UNIQUE REFERENCES workspaces(id) ON DELETE CASCADE,
        kind TEXT NOT NULL,
        step TEXT NOT NULL,
        parameters TEXT NOT NULL,
        request_id TEXT NOT NULL,
        deadline_nanos INTEGER NOT NULL
      ) STRICT, WITHOUT ROWID;
      ALTER TABLE requests ADD COLUMN outcome INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE requests ADD COLUMN stage INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE requests ADD COLUMN fault INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE requests ADD COLUMN message TEXT NOT NULL DEFAULT '';
      ALTER TABLE requests ADD COLUMN console TEXT NOT NULL DEFAULT '';
      ALTER TABLE events ADD COLUMN count INTEGER NOT NULL DEFAULT 1;
      ALTER TABLE events ADD COLUMN first_nanos INTEGER NOT NULL DEFAULT 0;
      UPDATE events SET first_nanos = time_nanos;
      CREATE INDEX events_by_workspace ON events(workspace_id, number);
      CREATE TABLE writer (
        only INTEGER PRIMARY KEY CHECK (only = 0),
        epoch INTEGER NOT NULL,
        mark INTEGER NOT NULL,
        last_event INTEGER NOT NULL
      ) STRICT;
      INSERT INTO writer SELECT 0, 0, 0, coalesce(max(number), 0) FROM events;
    )sql"_kj,
    // A workspace rests, or an operation is under way: what was one state is two rows.  One that was half-made is deleted.
    R"sql(
      INSERT INTO operations (id, workspace_id, kind, step, parameters, request_id, deadline_nanos)
        SELECT id, id,
               CASE state WHEN 2 THEN 'start' WHEN 4 THEN 'stop' WHEN 7 THEN 'resize'
                          ELSE 'delete' END,
               CASE state WHEN 2 THEN 'agent' WHEN 4 THEN 'ask' WHEN 7 THEN 'clear'
                          ELSE 'key' END,
               CASE state WHEN 2 THEN iif(rebooting, 'reboot', '') WHEN 4 THEN '10000'
                          WHEN 7 THEN wanted_disk_mib ELSE '' END,
               '', 0
          FROM workspaces WHERE state IN (0, 2, 4, 5, 7);
      UPDATE workspaces SET state = iif(state = 4, 3, 1) WHERE state IN (0, 2, 4, 5, 7);
      ALTER TABLE workspaces RENAME COLUMN state TO rest;
      ALTER TABLE workspaces DROP COLUMN wanted_disk_mib;
      ALTER TABLE workspaces DROP COLUMN rebooting;
    )sql"_kj,
    // A machine's row is that of a lease, which rests when nobody has it.  All stay with their workspaces at first: what is left of
    // machines is not known here.
    R"sql(
      CREATE TABLE machines_by_uid (
        uid INTEGER PRIMARY KEY,
        cid INTEGER NOT NULL,
        workspace_id TEXT NOT NULL,
        secret BLOB NOT NULL,
        started_nanos INTEGER NOT NULL,
        agent_version TEXT NOT NULL,
        released_nanos INTEGER NOT NULL
      ) STRICT;
      INSERT INTO machines_by_uid
        SELECT uid, cid, workspace_id, secret, started_nanos, agent_version, 0 FROM machines;
      DROP TABLE machines;
      ALTER TABLE machines_by_uid RENAME TO machines;
      CREATE UNIQUE INDEX machines_by_workspace ON machines(workspace_id) WHERE workspace_id <> '';
      CREATE UNIQUE INDEX machines_by_cid ON machines(cid) WHERE workspace_id <> '';
    )sql"_kj,
    // A machine may be paused.
    R"sql(
      ALTER TABLE machines ADD COLUMN paused_nanos INTEGER NOT NULL DEFAULT 0;
    )sql"_kj,
    R"sql(
      CREATE TABLE sessions (
        id TEXT PRIMARY KEY,
        workspace_id TEXT NOT NULL REFERENCES workspaces(id) ON DELETE CASCADE,
        token_hash BLOB NOT NULL UNIQUE,
        verbs INTEGER NOT NULL,
        beneath BLOB NOT NULL,
        label TEXT NOT NULL,
        actor TEXT NOT NULL,
        request_id TEXT NOT NULL,
        created_nanos INTEGER NOT NULL,
        expires_nanos INTEGER NOT NULL,
        last_used_nanos INTEGER NOT NULL,
        revoked_nanos INTEGER NOT NULL
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX sessions_by_workspace ON sessions(workspace_id);
      CREATE UNIQUE INDEX sessions_by_request ON sessions(request_id) WHERE request_id <> '';
    )sql"_kj,
    R"sql(
      ALTER TABLE workspaces ADD COLUMN tier TEXT NOT NULL DEFAULT '';
    )sql"_kj,
    // Machines that run have what their workspaces have.
    R"sql(
      ALTER TABLE machines ADD COLUMN cpus INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE machines ADD COLUMN memory_mib INTEGER NOT NULL DEFAULT 0;
      UPDATE machines SET
          cpus = (SELECT cpus FROM workspaces WHERE id = workspace_id),
          memory_mib = (SELECT memory_mib FROM workspaces WHERE id = workspace_id)
        WHERE EXISTS (SELECT 1 FROM workspaces WHERE id = workspace_id);
    )sql"_kj,
    R"sql(
      ALTER TABLE workspaces ADD COLUMN next_disk_mib INTEGER NOT NULL DEFAULT 0;
    )sql"_kj,
    // A workspace may be a user's.
    R"sql(
      ALTER TABLE workspaces ADD COLUMN user TEXT NOT NULL DEFAULT '';
      ALTER TABLE workspaces ADD COLUMN user_name TEXT NOT NULL DEFAULT '';
      ALTER TABLE workspaces ADD COLUMN last_active_nanos INTEGER NOT NULL DEFAULT 0;
      CREATE UNIQUE INDEX workspaces_by_user ON workspaces(user, user_name) WHERE user <> '';
    )sql"_kj,
    // Somebody has asked for it.
    R"sql(
      ALTER TABLE operations ADD COLUMN actor TEXT NOT NULL DEFAULT '';
      ALTER TABLE events ADD COLUMN actor TEXT NOT NULL DEFAULT '';
    )sql"_kj,
    R"sql(
      CREATE TABLE activity (
        workspace_id TEXT PRIMARY KEY REFERENCES workspaces(id) ON DELETE CASCADE,
        overrides TEXT NOT NULL,
        idle_nanos INTEGER NOT NULL,
        host_nanos INTEGER NOT NULL,
        rule TEXT NOT NULL,
        rule_nanos INTEGER NOT NULL
      ) STRICT, WITHOUT ROWID;
      CREATE TABLE wake_locks (
        id TEXT PRIMARY KEY,
        workspace_id TEXT NOT NULL REFERENCES workspaces(id) ON DELETE CASCADE,
        holder TEXT NOT NULL,
        reason TEXT NOT NULL,
        taken_nanos INTEGER NOT NULL,
        until_nanos INTEGER NOT NULL
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX wake_locks_by_workspace ON wake_locks(workspace_id);
    )sql"_kj,
    // What a workspace is beyond its image.
    R"sql(
      ALTER TABLE workspaces ADD COLUMN labels TEXT NOT NULL DEFAULT '';
      ALTER TABLE workspaces ADD COLUMN configured INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE workspaces ADD COLUMN setup_steps INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE workspaces ADD COLUMN setup_done INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE workspaces ADD COLUMN setup_failure TEXT NOT NULL DEFAULT '';
      CREATE TABLE configurations (
        workspace_id TEXT PRIMARY KEY REFERENCES workspaces(id) ON DELETE CASCADE,
        content BLOB NOT NULL
      ) STRICT;
    )sql"_kj,
    // A machine's memory may be kept.
    R"sql(
      ALTER TABLE workspaces ADD COLUMN sleeps INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE workspaces ADD COLUMN sleep_since_nanos INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE workspaces ADD COLUMN sleep_bytes INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE workspaces ADD COLUMN sleep_format TEXT NOT NULL DEFAULT '';
      ALTER TABLE workspaces ADD COLUMN sleep_secret BLOB NOT NULL DEFAULT x'';
      ALTER TABLE workspaces ADD COLUMN sleep_started_nanos INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE workspaces ADD COLUMN sleep_agent_version TEXT NOT NULL DEFAULT '';
      ALTER TABLE workspaces ADD COLUMN sleep_cpus INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE workspaces ADD COLUMN sleep_memory_mib INTEGER NOT NULL DEFAULT 0;
    )sql"_kj,
    R"sql(
      ALTER TABLE activity ADD COLUMN warned_nanos INTEGER NOT NULL DEFAULT 0;
    )sql"_kj,
};

}  // namespace

kj::ArrayPtr<const kj::StringPtr> sqliteMigrations() {
  return MIGRATIONS;
}

}  // namespace bothy
