#pragma once

#include <stdint.h>

#include <kj/array.h>
#include <kj/exception.h>
#include <kj/string.h>

struct sqlite3;
struct sqlite3_stmt;

namespace bothy {

// Thrown where the rows themselves are at fault, and the database is not: a key that is there already, or one that is not.
struct RefusedRow {
  kj::Exception fault;
};

// One connection to one SQLite file, in WAL mode with full synchronisation: what was committed is there
// after a power cut.  Faults throw with SQLite's message.
class SqliteDatabase final {
public:
  // `path` is made with mode 0600 if it is missing.
  explicit SqliteDatabase(kj::StringPtr path);
  ~SqliteDatabase() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(SqliteDatabase);

  // Statements without parameters and results.
  void run(kj::StringPtr sql);

  bool isInTransaction() const;

  // Runs the migrations that the file lacks, each in a transaction; its `user_version` counts them.
  // Fails if the file was written by a newer bothyd.  Foreign keys hold from here on.
  void migrate(kj::ArrayPtr<const kj::StringPtr> migrations);

  // Takes room for the write-ahead log, and keeps it from then on: changes find it also on a disk that is full,
  // where file systems write in place.  A disk that has no room for it now is a warning in the log.
  void reserveLog();

  // Some hundreds of changes of a row.  SQLite begins the log anew long before its end; where the disk is full
  // and the file of the database would have to grow for that, it goes on in the log.
  static constexpr uint64_t LOG_BYTES = 4 * 1024 * 1024;

private:
  const kj::String path;
  sqlite3* connection = nullptr;

  friend class SqliteStatement;
};

// A prepared statement, bound and stepped through.
class SqliteStatement final {
public:
  SqliteStatement(SqliteDatabase& database, kj::StringPtr sql);
  ~SqliteStatement() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(SqliteStatement);

  // For another use, with parameters of its own.  Until then, or its end, what it reads is held.
  SqliteStatement& again();

  // Binds the next parameter.
  SqliteStatement& bind(int64_t value);
  SqliteStatement& bind(kj::StringPtr value);
  SqliteStatement& bind(kj::ArrayPtr<const kj::byte> value);

  // True if there is a row.
  bool step();
  // Steps to the end of a statement without rows; the number of rows it changed.  Throws RefusedRow.
  int finish();

  int64_t integer(int column);
  kj::String text(int column);
  kj::Array<const kj::byte> blob(int column);

private:
  sqlite3* connection;
  sqlite3_stmt* statement = nullptr;
  int bound = 0;
};

// Rolls back unless committed.
class SqliteTransaction final {
public:
  explicit SqliteTransaction(SqliteDatabase& database);
  ~SqliteTransaction() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(SqliteTransaction);
  void commit();

private:
  SqliteDatabase& database;
  bool committed = false;
};

}  // namespace bothy
