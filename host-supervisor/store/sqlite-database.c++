#include "store/sqlite-database.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <string.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/io.h>

#include "store/store.h"

namespace bothy {
namespace {

// Pages in the log after which they are carried over into the database and the log begins anew: a quarter of it.
constexpr int CHECKPOINT_PAGES = 256;
// A reader of ours in another process (a backup) may hold the file for a moment.
constexpr int BUSY_LIMIT_MILLIS = 5000;

void check(sqlite3* connection, int result) {
  if (result == SQLITE_OK) return;
  auto message = kj::str(sqlite3_errmsg(connection));
  int extended = sqlite3_extended_errcode(connection);
  if (result == SQLITE_FULL || result == SQLITE_BUSY || result == SQLITE_LOCKED) {
    kj::throwFatalException(KJ_EXCEPTION(OVERLOADED, "database", message, extended));
  }
  if (result == SQLITE_CONSTRAINT || result == SQLITE_MISMATCH || result == SQLITE_TOOBIG) {
    throw RefusedRow{rowRefused(kj::str(message, " (", extended, ")"))};
  }
  KJ_FAIL_REQUIRE("database", message, extended);
}

}  // namespace

SqliteDatabase::SqliteDatabase(kj::StringPtr pathParam) : path(kj::heapString(pathParam)) {
  // SQLite would make it with the umask's mode; -wal and -shm files get the mode of the main file.
  int fd;
  KJ_SYSCALL(fd = open(path.cStr(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600), path);
  close(fd);
  KJ_ON_SCOPE_FAILURE(sqlite3_close(connection));
  int result = sqlite3_open_v2(path.cStr(), &connection,
                               SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  KJ_REQUIRE(connection != nullptr, "out of memory", path);
  check(connection, result);
  sqlite3_extended_result_codes(connection, 0);
  sqlite3_busy_timeout(connection, BUSY_LIMIT_MILLIS);
  // The log and its index stay where they are at the end: a disk that is full then has no room for others.
  int yes = 1;
  check(connection, sqlite3_file_control(connection, nullptr, SQLITE_FCNTL_PERSIST_WAL, &yes));
  run("PRAGMA journal_mode = WAL");
  run(kj::str("PRAGMA wal_autocheckpoint = ", CHECKPOINT_PAGES));
  run("PRAGMA synchronous = FULL");
  run("PRAGMA trusted_schema = OFF");
  // Secrets of boots that are over are not left in free pages.
  run("PRAGMA secure_delete = ON");
}

SqliteDatabase::~SqliteDatabase() noexcept(false) {
  sqlite3_close(connection);
}

void SqliteDatabase::run(kj::StringPtr sql) {
  try {
    check(connection, sqlite3_exec(connection, sql.cStr(), nullptr, nullptr, nullptr));
  } catch (RefusedRow& refused) {
    kj::throwFatalException(kj::mv(refused.fault));
  }
}

bool SqliteDatabase::isInTransaction() const {
  return sqlite3_get_autocommit(connection) == 0;
}

void SqliteDatabase::migrate(kj::ArrayPtr<const kj::StringPtr> migrations) {
  uint64_t version;
  {
    SqliteStatement statement(*this, "PRAGMA user_version");
    KJ_REQUIRE(statement.step());
    version = statement.integer(0);
  }
  KJ_REQUIRE(version <= migrations.size(),
             "the database was written by a newer bothyd; install that one again", version,
             migrations.size());
  for (; version < migrations.size(); version++) {
    SqliteTransaction transaction(*this);
    run(migrations[version]);
    run(kj::str("PRAGMA user_version = ", version + 1));
    transaction.commit();
  }
  // Not before: with them, a table that is made anew takes the rows that refer to it along.
  run("PRAGMA foreign_keys = ON");
}

void SqliteDatabase::reserveLog() {
  auto log = kj::str(path, "-wal");
  int raw = open(log.cStr(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (raw < 0) KJ_FAIL_SYSCALL("open", errno, log);
  kj::AutoCloseFd fd(raw);
  // What is behind its last frame is nothing to SQLite.
  int error = posix_fallocate(fd, 0, LOG_BYTES);
  if (error != 0) {
    KJ_LOG(WARNING,
           "the host's disk has no room for the log of the database: if it is full nothing can be "
           "written down",
           log, LOG_BYTES, strerror(error));
  }
}

SqliteStatement::SqliteStatement(SqliteDatabase& database, kj::StringPtr sql)
    : connection(database.connection) {
  check(connection, sqlite3_prepare_v2(connection, sql.begin(), sql.size(), &statement, nullptr));
}

SqliteStatement::~SqliteStatement() noexcept(false) {
  sqlite3_finalize(statement);
}

SqliteStatement& SqliteStatement::again() {
  // Tells of the fault that ended it the last time.
  sqlite3_reset(statement);
  bound = 0;
  return *this;
}

SqliteStatement& SqliteStatement::bind(int64_t value) {
  check(connection, sqlite3_bind_int64(statement, ++bound, value));
  return *this;
}

SqliteStatement& SqliteStatement::bind(kj::StringPtr value) {
  check(connection, sqlite3_bind_text64(statement, ++bound, value.begin(), value.size(),
                                        SQLITE_TRANSIENT, SQLITE_UTF8));
  return *this;
}

SqliteStatement& SqliteStatement::bind(kj::ArrayPtr<const kj::byte> value) {
  // A null pointer would bind NULL.
  const void* bytes = value.size() == 0 ? static_cast<const void*>("") : value.begin();
  check(connection, sqlite3_bind_blob64(statement, ++bound, bytes, value.size(), SQLITE_TRANSIENT));
  return *this;
}

bool SqliteStatement::step() {
  int result = sqlite3_step(statement);
  if (result == SQLITE_ROW) return true;
  if (result != SQLITE_DONE) check(connection, result);
  return false;
}

int SqliteStatement::finish() {
  while (step()) {
  }
  return sqlite3_changes(connection);
}

int64_t SqliteStatement::integer(int column) {
  return sqlite3_column_int64(statement, column);
}

kj::String SqliteStatement::text(int column) {
  auto chars = reinterpret_cast<const char*>(sqlite3_column_text(statement, column));
  return kj::heapString(kj::arrayPtr(chars, sqlite3_column_bytes(statement, column)));
}

kj::Array<const kj::byte> SqliteStatement::blob(int column) {
  auto bytes = static_cast<const kj::byte*>(sqlite3_column_blob(statement, column));
  return kj::heapArray<kj::byte>(kj::arrayPtr(bytes, sqlite3_column_bytes(statement, column)));
}

SqliteTransaction::SqliteTransaction(SqliteDatabase& database) : database(database) {
  database.run("BEGIN IMMEDIATE");
}

SqliteTransaction::~SqliteTransaction() noexcept(false) {
  if (committed) return;
  // Some faults roll back by themselves; then this one fails, which is no news.
  kj::runCatchingExceptions([&]() { database.run("ROLLBACK"); });
}

void SqliteTransaction::commit() {
  database.run("COMMIT");
  committed = true;
}

}  // namespace bothy
