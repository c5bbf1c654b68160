#pragma once

#include <kj/array.h>
#include <kj/string.h>

namespace bothy {

// What makes a database of any age one of today (SqliteDatabase::migrate).
kj::ArrayPtr<const kj::StringPtr> sqliteMigrations();

}  // namespace bothy
