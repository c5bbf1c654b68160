#pragma once

#include <cstdint>

#include <kj/string.h>
#include <kj/time.h>

namespace bothy {

// "512M", "4G", "1T", "2GiB", "1048576K", or a number of MiB: whole MiB.  nullptr if it is none.
kj::Maybe<uint32_t> parseMebibytes(kj::StringPtr text);

// The same with a unit that K fits too: bytes.
kj::Maybe<uint64_t> parseBytes(kj::StringPtr text);

// As parseMebibytes() takes it, in the largest unit of which it is a whole number: "512M", "4G", "1T".
kj::String formatMebibytes(uint64_t mebibytes);

// "30s", "500ms", "2m", "1h", "7d", or a number of seconds.  nullptr if it is none.
kj::Maybe<kj::Duration> parseDuration(kj::StringPtr text);

// A decimal number up to `maximum`, nothing else around it.
kj::Maybe<uint64_t> parseNumber(kj::StringPtr text, uint64_t maximum = UINT64_MAX);

// "0 B", "999 B", "1.5 KiB", "12 MiB": three digits at most.
kj::String formatBytes(uint64_t bytes);

// "0.4s", "12s", "3m12s", "2h05m", "3d4h".
kj::String formatDuration(kj::Duration duration);

// "2026-11-24 00:15:03" in the local time zone; "-" for 0.
kj::String formatTime(int64_t unixNanos);

}  // namespace bothy
