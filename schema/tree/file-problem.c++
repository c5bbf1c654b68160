#include "tree/file-problem.h"

#include <errno.h>
#include <string.h>

#include "schema/limits.capnp.h"

namespace bothy {
namespace {

FileProblem::Reason reasonOf(int errorNumber) {
  using Reason = FileProblem::Reason;
  switch (errorNumber) {
    case ENOENT:
      return Reason::NOT_FOUND;
    case EEXIST:
      return Reason::EXISTS;
    case ENOTDIR:
      return Reason::NOT_DIRECTORY;
    case EISDIR:
      return Reason::IS_DIRECTORY;
    case EACCES:
    case EPERM:
      return Reason::PERMISSION_DENIED;
    case ENOTEMPTY:
      return Reason::NOT_EMPTY;
    case ENOSPC:
    case EDQUOT:
      return Reason::NO_SPACE;
    case ENAMETOOLONG:
    case EINVAL:
      return Reason::INVALID_PATH;
    case EROFS:
      return Reason::READ_ONLY;
    case EXDEV:
      return Reason::CROSS_DEVICE;
    case ENXIO:
      return Reason::NOT_REGULAR;
    default:
      return Reason::OTHER;
  }
}

}  // namespace

FileProblem FileProblem::fromErrno(int errorNumber) {
  return {reasonOf(errorNumber), errorNumber, kj::str(strerror(errorNumber)), nullptr};
}

FileProblem FileProblem::of(Reason reason, kj::String message, kj::String path) {
  return {reason, 0, kj::mv(message), kj::mv(path)};
}

void FileProblem::writeTo(rpc::FileFailure::Builder builder,
                          kj::ArrayPtr<const kj::byte> givenPath) const {
  builder.setReason(reason);
  builder.setErrorNumber(errorNumber);
  builder.setMessage(message);
  auto full = path == nullptr ? givenPath : path.asBytes();
  builder.setPath(full.slice(0, kj::min(full.size(), size_t{rpc::MAX_PATH_BYTES})));
}

}  // namespace bothy
