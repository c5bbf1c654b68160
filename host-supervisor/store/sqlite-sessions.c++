#include "store/sqlite-sessions.h"

#include <kj/debug.h>
#include <kj/vector.h>

namespace bothy {

SqliteSessions::SqliteSessions(SqliteDatabase& database)
    : addSession(database,
                 "INSERT INTO sessions (last_used_nanos, revoked_nanos, token_hash, id, "
                 "workspace_id, verbs, beneath, label, actor, request_id, created_nanos, "
                 "expires_nanos) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)"),
      updateSession(database, "UPDATE sessions SET last_used_nanos=?, revoked_nanos=? WHERE id=?"),
      replaceHash(database, "UPDATE sessions SET token_hash=? WHERE id=?"),
      removeSession(database, "DELETE FROM sessions WHERE id=?"),
      sessions(database,
               "SELECT last_used_nanos, revoked_nanos, token_hash, id, workspace_id, verbs, "
               "beneath, label, actor, request_id, created_nanos, expires_nanos FROM sessions") {}

void SqliteSessions::add(const SessionRow& row) {
  addSession.again()
      .bind(row.lastUsedNanos)
      .bind(row.revokedNanos)
      .bind(row.tokenHash.asPtr())
      .bind(row.id)
      .bind(row.workspaceId)
      .bind(int64_t{row.verbs})
      .bind(row.beneath.asPtr())
      .bind(row.label)
      .bind(row.actor)
      .bind(row.requestId)
      .bind(row.createdNanos)
      .bind(row.expiresNanos)
      .finish();
}

int SqliteSessions::update(const SessionRow& row) {
  return updateSession.again().bind(row.lastUsedNanos).bind(row.revokedNanos).bind(row.id).finish();
}

int SqliteSessions::replaceToken(kj::StringPtr id, kj::ArrayPtr<const kj::byte> hash) {
  return replaceHash.again().bind(hash).bind(id).finish();
}

int SqliteSessions::remove(kj::StringPtr id) {
  return removeSession.again().bind(id).finish();
}

kj::Array<SessionRow> SqliteSessions::read() {
  kj::Vector<SessionRow> rows;
  sessions.again();
  KJ_DEFER(sessions.again());
  while (sessions.step()) {
    SessionRow row{sessions.text(3),     sessions.text(4),
                   sessions.blob(2),     static_cast<uint32_t>(sessions.integer(5)),
                   sessions.blob(6),     sessions.text(7),
                   sessions.text(8),     sessions.text(9),
                   sessions.integer(10), sessions.integer(11),
                   sessions.integer(0),  sessions.integer(1)};
    const auto verbs = sessions.integer(5);
    if (row.tokenHash.size() != TOKEN_HASH_BYTES || verbs < 0 || verbs > UINT32_MAX) {
      KJ_LOG(ERROR, "what the database has of a session is damaged: it counts as revoked", row.id);
      row.tokenHash = kj::heapArray<kj::byte>(TOKEN_HASH_BYTES);
      row.verbs = 0;
      if (row.revokedNanos == 0) row.revokedNanos = 1;
    }
    rows.add(kj::mv(row));
  }
  return rows.releaseAsArray();
}

}  // namespace bothy
