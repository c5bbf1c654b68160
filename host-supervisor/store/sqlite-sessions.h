#pragma once

#include "store/change.h"
#include "store/sqlite-database.h"

namespace bothy {

// The table of sessions, as SqliteRows has the others.
class SqliteSessions final {
public:
  explicit SqliteSessions(SqliteDatabase& database);
  KJ_DISALLOW_COPY_AND_MOVE(SqliteSessions);

  void add(const SessionRow& row);
  // How many rows there were of that id.
  int update(const SessionRow& row);
  int replaceToken(kj::StringPtr id, kj::ArrayPtr<const kj::byte> hash);
  int remove(kj::StringPtr id);
  kj::Array<SessionRow> read();

private:
  SqliteStatement addSession, updateSession, replaceHash, removeSession, sessions;
};

}  // namespace bothy
