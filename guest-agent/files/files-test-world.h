#pragma once

#include <kj/async-io.h>
#include <kj/vector.h>
#include <sys/stat.h>

#include "files/file-counts.h"
#include "files/files-limits.h"
#include "files/workspace-root.h"
#include "process/programs.h"
#include "schema/files.capnp.h"
#include "tree/test-directory.h"
#include "wire/rpc-connection.h"

namespace bothy {

// While it lives, a test that root runs acts as a user, as a file worker does from its beginning.
class ActingUser final {
public:
  explicit ActingUser(const User& user);
  ~ActingUser() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(ActingUser);

private:
  const bool wasRoot;
};

// And as root again, to make what is not the user's.
class ActingRoot final {
public:
  ActingRoot();
  ~ActingRoot() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(ActingRoot);

private:
  const uid_t uid;
  const gid_t gid;
};

// The facet of a directory, seen through a real connection.  A test that root runs is the user's from here on.
struct FilesTestWorld {
  using Reason = rpc::FileFailure::Reason;
  using Disposition = rpc::Files::WriteOptions::Disposition;

  // What a CollectingSink got; outlives it.
  struct Collected {
    kj::Vector<kj::byte> bytes;
    uint64_t count = 0;
    uint64_t skipped = 0;
    size_t largestChunk = 0;
    bool keep = true;
    bool ended = false;
  };

  class CollectingSink final: public rpc::SparseSink::Server {
  public:
    explicit CollectingSink(Collected& collected) : collected(collected) {}
    kj::Promise<void> write(WriteContext context) override;
    kj::Promise<void> skip(SkipContext context) override;
    kj::Promise<void> end(EndContext context) override;

  private:
    Collected& collected;
  };

  // `timer`: of programs; by default that of the loop.
  explicit FilesTestWorld(kj::Maybe<kj::Timer&> timer = nullptr);

  TestDirectory world;  // holds root/, which is served, and outside/secret
  kj::Maybe<ActingUser> rights;
  kj::AsyncIoContext io;
  kj::WaitScope& scope;
  Programs programs;
  User user;
  kj::Maybe<WorkspaceRoot> root;
  MessageBudget lanes{
      MessageBudget::Limits{.maxBytes = 32 * 1024 * 1024, .shareBytes = 512 * 1024}};
  DiskFlush disk;
  FilesLimits limits{lanes, disk};
  kj::Own<FileCounters> counters = kj::refcounted<FileCounters>();
  kj::TwoWayPipe pipe;
  kj::Maybe<RpcConnection> server;
  kj::Own<RpcConnection> client;
  rpc::Files::Client files;

  // Past the facet, below root/.
  void put(kj::StringPtr name, kj::StringPtr text);
  kj::String get(kj::StringPtr name) { return world.read(kj::str("root/", name)); }
  struct stat statusOf(kj::StringPtr name) { return world.status(kj::str("root/", name)); }

  // Through the facet.
  capnp::Response<rpc::Files::StatResults> stat(kj::StringPtr path, bool follow = true);
  Reason statFailure(kj::StringPtr path);
  capnp::Response<rpc::Files::WriteResults> beginWrite(
      kj::StringPtr path, Disposition disposition = Disposition::REPLACE, bool makeParents = false,
      uint64_t offset = 0);
  void send(rpc::ByteSink::Client sink, kj::ArrayPtr<const kj::byte> bytes);
  // An import into root/, under way.
  using Import = capnp::Response<rpc::Files::ImportTreeResults>;
  kj::Promise<Import> beginImport(rpc::Files::Client files);
  void write(kj::StringPtr path, kj::StringPtr text, Disposition disposition = Disposition::REPLACE,
             bool makeParents = false, uint64_t offset = 0);
  capnp::Response<rpc::Files::ReadResults> read(kj::StringPtr path, Collected& collected,
                                                uint64_t offset = 0, uint64_t length = 0);
  capnp::Response<rpc::Files::MakeDirectoryResults> makeDirectory(kj::StringPtr path,
                                                                  bool makeParents = false);
  capnp::Response<rpc::Files::MoveResults> move(kj::StringPtr from, kj::StringPtr to, bool replace);
  capnp::Response<rpc::Files::RemoveResults> remove(kj::StringPtr path, bool recursive);
  capnp::Response<rpc::Files::ListResults> list(kj::StringPtr path, uint64_t cursor,
                                                uint32_t limit);
  capnp::Response<rpc::TreeImport::ResultResults> import(kj::StringPtr path,
                                                         kj::ArrayPtr<const kj::byte> archive,
                                                         bool whole = false);
};

inline capnp::Data::Reader bytesOf(kj::StringPtr text) {
  return text.asBytes();
}

}  // namespace bothy
