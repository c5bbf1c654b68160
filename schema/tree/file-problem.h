#pragma once

#include <kj/array.h>
#include <kj/string.h>

#include "schema/files.capnp.h"

namespace bothy {

// Why something was not done with a file; FileFailure of files.capnp as a value.
struct FileProblem {
  using Reason = rpc::FileFailure::Reason;

  Reason reason;
  int errorNumber = 0;  // 0: no system call failed
  kj::String message;   // for people; may hold bytes of a hostile peer
  kj::String path;      // what it is about, where that is not the path of the whole operation

  // From the error of a system call.
  static FileProblem fromErrno(int errorNumber);
  static FileProblem of(Reason reason, kj::String message, kj::String path = nullptr);

  // `givenPath` is what the caller named: told where `path` is empty.
  void writeTo(rpc::FileFailure::Builder builder, kj::ArrayPtr<const kj::byte> givenPath) const;
};

}  // namespace bothy
