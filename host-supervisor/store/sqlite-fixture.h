#pragma once

#include <stdlib.h>

#include <kj/async-io.h>
#include <kj/debug.h>
#include <kj/filesystem.h>

#include "store/sqlite-store.h"

namespace bothy {

// A directory for a database, removed in the end.
struct SqliteFixture {
  char directory[32] = "/tmp/bothy-store-XXXXXX";
  kj::String path;
  kj::AsyncIoContext io = kj::setupAsyncIo();
  kj::WaitScope& scope = io.waitScope;
  kj::Timer& timer = io.provider->getTimer();

  SqliteFixture() {
    KJ_ASSERT(mkdtemp(directory) != nullptr);
    path = kj::str(directory, "/state.db");
  }
  ~SqliteFixture() noexcept(false) {
    kj::newDiskFilesystem()->getRoot().remove(kj::Path::parse(kj::StringPtr(directory).slice(1)));
  }
  KJ_DISALLOW_COPY_AND_MOVE(SqliteFixture);

  kj::Own<Store> open(EventLimits limits = {}) { return openSqliteStore(timer, path, limits); }
  kj::String bytesOf(kj::StringPtr name) {
    auto file = kj::newDiskFilesystem()->getRoot().openFile(kj::Path::parse(name.slice(1)));
    return kj::heapString(file->readAllBytes().asChars());
  }
};

}  // namespace bothy
