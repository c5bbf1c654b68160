@0xb5d6b1a1c0f0a005;
# Files of a workspace.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bothy::rpc");
$Cxx.allowCancellation;

using Stream = import "stream.capnp";

enum FileKind {
  other @0;
  file @1;
  directory @2;
  symlink @3;
  fifo @4;
  socket @5;
  characterDevice @6;
  blockDevice @7;
}

struct FileEntry {
  name @0 :Data;
  # The last component, as the file system has it: bytes, not text.  Guest data: escape before showing.
  kind @1 :FileKind;
  size @2 :UInt64;
  # Bytes.
  mode @3 :UInt16;
  # Permission bits, 07777.
  uid @4 :UInt32;
  gid @5 :UInt32;
  modifiedNanos @6 :Int64;
  # Nanoseconds since 1970-01-01T00:00:00Z; of a time that these cannot hold (before 1677 or after 2262), the nearest.
  linkTarget @7 :Data;
  # Of a symlink, as it stands.
  links @8 :UInt32;
  changedNanos @9 :Int64;
  # As `modifiedNanos`, of the last change of contents, mode, owner or links (ctime).
  inode @10 :UInt64;
  # With `changedNanos` it tells whether a file that was seen before is the same and unchanged.
}

struct FileFailure {
  # Why nothing was done.
  reason @0 :Reason;
  enum Reason {
    other @0;            # see `errorNumber`
    notFound @1;
    exists @2;
    notDirectory @3;
    isDirectory @4;
    permissionDenied @5;
    outsideRoot @6;      # "..", or a symlink, leads out of the root
    notEmpty @7;
    noSpace @8;          # ENOSPC, EDQUOT
    invalidPath @9;      # empty, NUL, over `maxPathBytes`, a name over 255 bytes
    readOnly @10;
    tooManyEntries @11;  # an archive over its limits
    invalidArchive @12;  # not a tar stream, or an entry that is refused
    crossDevice @13;
    notRegular @14;      # a device, a FIFO or a socket where a file is wanted
    abandoned @15;       # whoever sent the bytes stopped before the end
    changed @16;         # a file became shorter while it was read
  }
  path @1 :Data;
  # The path it is about, as it was given; at most its first `maxPathBytes`.
  errorNumber @2 :Int32;
  # errno in the guest, 0 if no call failed.
  message @3 :Text;
  # For people.  Guest data.
}

interface Files {
  # File operations beneath one root directory, as one user.  Paths are bytes, relative to the root (a
  # leading "/" is dropped) and resolved by the kernel beneath it: ".." and absolute symlinks that
  # lead out give `outsideRoot`.  New files and directories belong to the user; modes obey umask 022, where
  # nothing else is said.
  #
  # Every operation may be called at any time, also concurrently; each is as atomic as its system call.
  # Of `read`, `exportTree` and `importTree` `maxLaneTransfers` are under way on a lane, the others wait for their turn, and more
  # than `maxWaitingTransfers` of those fail with OVERLOADED.  The limits of `Agent` count here too.

  stat @0 (path :Data, followLinks :Bool) -> (outcome :EntryOutcome);
  # What stands at `path`; without `followLinks` a symbolic link there is told as itself.
  struct EntryOutcome {
    union {
      entry @0 :FileEntry;
      failed @1 :FileFailure;
    }
  }

  list @1 (path :Data, cursor :UInt64, limit :UInt32) -> (outcome :ListOutcome);
  # A page of a directory, without "." and "..", in the file system's order.  `cursor` 0 begins; the next
  # page begins at the `nextCursor` of the last.  `limit` 0 or above `maxListEntries` is `maxListEntries`.
  # What is created or removed between pages may or may not be seen; nothing else is seen twice or missed.
  struct ListOutcome {
    union {
      page :group {
        entries @0 :List(FileEntry);
        nextCursor @1 :UInt64;
        # 0: this was the last page.
      }
      failed @2 :FileFailure;
    }
  }

  read @2 (path :Data, offset :UInt64, length :UInt64, sink :Stream.ByteSink, sparse :Bool)
      -> (outcome :ReadOutcome);
  # Writes bytes offset .. offset+length-1, or to the end of the file (`length` 0: always to the end), into
  # `sink`, ends it and returns.  Follows symlinks beneath the root.  Regular files only.  A file that grows or
  # shrinks meanwhile gives what it has at each moment.
  #
  # `sparse`: `sink` is a SparseSink, and holes of the file are skipped in it.
  # Cancelled by dropping the call, or by failing `sink`.
  struct ReadOutcome {
    union {
      done @0 :UInt64;
      # Bytes written, with those that were skipped.
      failed @1 :FileFailure;
    }
    entry @2 :FileEntry;
    # If done: the file that was read, as it was when it was opened, without its name.
  }

  write @3 (path :Data, options :WriteOptions)
      -> (sink :SparseSink, outcome :Outcome, writing :FileWriting);
  # Opens a file for writing and gives a sink for its bytes; both capabilities are null if that failed.
  # Writes may be pipelined on `sink`.  A write or an `end` that fails (no space, say) throws FAILED, and
  struct WriteOptions {
    mode @0 :UInt16 = 0x1a4;
    # Permission bits of a new file (0644).  An existing one keeps its own; see `exactMode`.
    makeParents @1 :Bool;
    # Creates missing parent directories (0755), as the user.
    disposition @2 :Disposition;
    enum Disposition {
      replace @0;
      # Bytes go to an unnamed file; `end` flushes it to the disk and puts it under the name in one step.
      # Readers see the old file or the new one.  Dropping the sink without `end` changes nothing.
      createNew @1;
      # As replace; `exists` if there is one, at `end` at the latest.
      patch @2;
      # Bytes go into the existing file (created if absent) at `offset`, in place.  `end` flushes.
    }
    offset @3 :UInt64;
    # For `patch`: where the first byte goes.  `skip` is refused there.
    exactMode @4 :Bool;
    # The file gets `mode` as it stands, without a umask, also where it replaces another.  Not for `patch`.
    modified :union {
      now @5 :Void;
      nanos @6 :Int64;
      # When the file was modified, nanoseconds since 1970-01-01T00:00:00Z.
    }
    followLinks @7 :Bool;
    # A symbolic link at `path` names the file that is written, `notFound` if it names nothing, and
    # `permissionDenied` if the kernel's protected_symlinks would have it so.  Where this is not set, `replace`
    # replaces the link itself.
  }
  makeDirectory @4 (path :Data, mode :UInt16 = 0x1ed, makeParents :Bool) -> (outcome :Outcome);
  # mkdir; with `makeParents` also its missing parents (`invalidPath` where it goes back by ".." out of more than 16 of those), and an existing
  # directory is no failure.

  move @5 (from :Data, to :Data, replace :Bool) -> (outcome :Outcome);
  # rename(2).  Without `replace`, `exists` if there is something at `to`, in one step.

  remove @6 (path :Data, recursive :Bool) -> (outcome :Outcome);
  # Removes a file, a symlink (not its target), an empty directory, or with `recursive` a tree.  Never
  # crosses into another file system.  A recursive removal that fails has removed a part.

  struct Outcome {
    union {
      done @0 :Void;
      failed @1 :FileFailure;
    }
  }

  exportTree @7 (path :Data, sink :Stream.ByteSink) -> (outcome :TreeOutcome);
  # Writes the tree at `path` to `sink` as an uncompressed pax tar (POSIX.1-2001), names relative to
  # `path` ("." first, or the name of a single file), ends it and returns.  Regular files, their holes as
  # GNU.sparse 1.0, directories, symlinks and hard links, with modes and times of modification; devices, FIFOs
  # and sockets are skipped and counted.  A file that grows is cut at the size it had, one that becomes
  # shorter ends the export as `changed`.

  importTree @8 (path :Data, whole :Bool)
      -> (sink :Stream.ByteSink, import :TreeImport, outcome :Outcome);
  # `sink` takes the archive; after its `end`, call `import.result`.  Both are null if it failed.  Above `maxLaneTransfers` on
  # its lane that are not over it waits for its turn; above `maxTreeTransfers` of the user one that is not the only one of its
  # lane waits for a minute, and fails with OVERLOADED then.  So does exportTree.
  #
  # Unpacks a tar (pax, GNU or ustar; uncompressed, gzip or zstd) below the directory `path`, which must
  # exist.  Modes are kept as they stand, without a umask, and times of modification; holes stay holes.  Entries are refused whole-archive (`invalidArchive`) when they are absolute, contain "..", pass
  # through a symlink, or are devices; setuid, setgid, sticky, owner and extended attributes are
  # dropped.  Limits: `maxArchiveEntries`, with parents that no entry names, and `maxArchiveRatio`; 1,024
  # directories within one another, and 8 MiB of headers for an entry.
  #
  # `whole`: the tree is unpacked under another name, and has its place when all of it is there, with the mode
  # and time of the archive's ".".  A directory at `path` stays and takes the new entries, each in one step, in
  # place of files of their names; without one, `path` appears in one step.  What breaks before leaves nothing.
  struct TreeOutcome {
    union {
      done :group {
        entries @0 :UInt64;
        skipped @1 :UInt64;
      }
      failed @2 :FileFailure;
    }
  }

  home @9 () -> (path :Data);
  # The user's home, an absolute path, as the workspace's passwd has it; it need not exist.

  makeSymlink @10 (path :Data, target :Data, modifiedNanos :Int64) -> (outcome :Outcome);
  # A symbolic link to `target`, which is taken as it stands, in place of a file or link at `path`, in one step.
}

interface SparseSink extends(Stream.ByteSink) {
  # A ByteSink for the contents of a file, which takes holes too.

  skip @0 (bytes :UInt64) -> stream;
  # The next `bytes` bytes are zeros, which do not travel: the receiver leaves a hole.  In order with
  # `write`, and as that it fails for ever once it failed.
}

interface FileWriting {
  # A file being written.  Dropping it changes nothing.
  result @0 () -> (outcome :Files.Outcome);
  # Returns when `end` is done, a write or `end` has failed, or the sink was dropped (`abandoned`).
}

interface TreeImport {
  # An unpacking under way.  Dropping it stops it; what was unpacked stays.
  result @0 () -> (outcome :Files.TreeOutcome);
  # Returns when the archive was unpacked or refused.
}

const maxArchiveEntries :UInt64 = 1000000;
const maxArchiveRatio :UInt32 = 100;
# Unpacked bytes per packed byte, counted after the first MiB.
