#pragma once

#include <kj/string.h>
#include <stdint.h>

namespace bothy {

// The records of utmp(5) that init keeps: `last reboot`, `last -x shutdown` and `who -b` show them.
// Records of logins are not kept: see README.md.

constexpr kj::StringPtr CURRENT_RECORDS = "/run/utmp"_kj;
constexpr kj::StringPtr ALL_RECORDS = "/var/log/wtmp"_kj;

// No record is added to a longer file: who wants to keep them rotates it.
constexpr uint64_t MAX_RECORDS_BYTES = 1024 * 1024;

enum class RecordKind { BOOT, SHUTDOWN };

// Appends a record of now to the file, which is made if there is none.  Throws if it is anything else than
// a file.
void addRecord(kj::StringPtr path, RecordKind kind);

}  // namespace bothy
