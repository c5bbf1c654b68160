#include "transfer/space-limit.h"

#include <sys/statvfs.h>

#include "console/quantity.h"

namespace bothy {
namespace {

// A copy leaves at least this part of the free space.
constexpr uint64_t KEPT_SHARE = 16;

}  // namespace

SpaceLimit SpaceLimit::of(int directory, kj::Maybe<uint64_t> given) {
  KJ_IF_MAYBE (bytes, given) {
    return {*bytes, true};
  }
  struct statvfs status{};
  if (fstatvfs(directory, &status) < 0) return {UINT64_MAX, false};
  uint64_t available = static_cast<uint64_t>(status.f_bavail) * status.f_frsize;
  return {available - available / KEPT_SHARE, false};
}

kj::String SpaceLimit::describe() const {
  return kj::str(
      "it has more than ", formatBytes(bytes),
      isGiven ? ", more than --max allows" : ", which would fill the local disk: --max allows it");
}

}  // namespace bothy
