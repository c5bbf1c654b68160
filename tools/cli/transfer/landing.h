#pragma once

#include "transfer/transfer.h"

namespace bothy {

// Tells of a copy into a workspace whose answer was lost whether it has its place.  For what is not to be copied twice:
// standard input, which cannot be read again, and a tree, into whose directories a second copy could perhaps not
// write any more.  A file or symlink is copied again: the second takes the place of the first in one step.
class Landing final {
public:
  Landing() = default;
  KJ_DISALLOW_COPY_AND_MOVE(Landing);

  // How what is copied can be known at its place.
  struct Mark {
    rpc::FileKind kind;
    uint64_t size = 0;  // of a file
    // Of a directory; both are set when all below it has its place.
    uint16_t mode = 0;
    int64_t modifiedNanos = 0;
  };

  // Looks at what stands at the place.  To be asked before the copy, over its connection, and kept beside it.
  kj::Promise<void> lookBefore(RemoteFiles& to);
  // All is sent but the end: from now on the copy may get its place.
  void sent(Mark mark, TransferResult result);

  bool wasSent() const { return copied != nullptr; }
  // The result, if what was sent stands at the place.  Only if wasSent().
  kj::Promise<kj::Maybe<TransferResult>> find(RemoteFiles& to);

private:
  // Which state of which file stood there; null: nothing did.
  struct Version {
    uint64_t inode;
    int64_t changedNanos;
  };
  struct Before {
    kj::Maybe<Version> version;
  };
  struct Copied {
    Mark mark;
    TransferResult result;
  };

  kj::Maybe<Before> before;
  kj::Maybe<Copied> copied;
};

}  // namespace bothy
