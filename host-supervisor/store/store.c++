#include "store/store.h"

#include <kj/debug.h>

namespace bothy {
namespace {

constexpr kj::StringPtr FENCED =
    "another bothyd has taken over the database, and this one must not write into it any more"_kj;

constexpr kj::StringPtr ROW_REFUSED = "the database refuses a row: "_kj;

}  // namespace

kj::Exception fencedBy(uint64_t newer, uint64_t own) {
  return KJ_EXCEPTION(FAILED, kj::str(FENCED, ": its epoch is ", own, ", the newest is ", newer));
}

bool isFenced(const kj::Exception& fault) {
  return fault.getDescription().startsWith(FENCED);
}

kj::Exception rowRefused(kj::StringPtr why) {
  return KJ_EXCEPTION(FAILED, kj::str(ROW_REFUSED, why));
}

bool isRowRefused(const kj::Exception& fault) {
  return fault.getDescription().startsWith(ROW_REFUSED);
}

}  // namespace bothy
