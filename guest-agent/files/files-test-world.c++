#include "files/files-test-world.h"

#include <grp.h>
#include <kj/debug.h>
#include <unistd.h>
#include <catch2/catch_test_macros.hpp>

#include "files/files-facet.h"
#include "schema/limits.capnp.h"
#include "wire/byte-sink.h"

namespace bothy {
namespace {

// Root becomes this user, who exists nowhere else; anybody else stays who he is.
constexpr uid_t TEST_UID = 54321;

User tester() {
  bool isRoot = geteuid() == 0;
  return {kj::str("tester"),
          isRoot ? TEST_UID : geteuid(),
          isRoot ? TEST_UID : getegid(),
          isRoot ? kj::heapArray<gid_t>({TEST_UID}) : kj::heapArray<gid_t>({getegid()}),
          kj::str("/"),
          kj::str("/bin/sh")};
}

void becomeEffectively(uid_t uid, gid_t gid) {
  // Root first, who alone may become another group.
  KJ_SYSCALL(setresuid(-1, 0, -1));
  KJ_SYSCALL(setresgid(-1, gid, -1));
  KJ_SYSCALL(setresuid(-1, uid, -1));
}

kj::AsyncIoContext setupIo() {
  Reaper::captureChildExit();
  return kj::setupAsyncIo();
}

}  // namespace

ActingUser::ActingUser(const User& user) : wasRoot(geteuid() == 0) {
  if (!wasRoot) return;
  KJ_SYSCALL(setgroups(user.groups.size(), user.groups.begin()));
  // What it starts must not look like a set-user-id program.
  KJ_SYSCALL(setresgid(user.gid, user.gid, 0));
  KJ_SYSCALL(setresuid(user.uid, user.uid, 0));
}

ActingUser::~ActingUser() noexcept(false) {
  if (!wasRoot) return;
  becomeEffectively(0, 0);
  KJ_SYSCALL(setresuid(0, 0, 0));
  KJ_SYSCALL(setresgid(0, 0, 0));
  KJ_SYSCALL(setgroups(0, nullptr));
}

ActingRoot::ActingRoot() : uid(geteuid()), gid(getegid()) {
  becomeEffectively(0, 0);
}

ActingRoot::~ActingRoot() noexcept(false) {
  becomeEffectively(uid, gid);
}

kj::Promise<void> FilesTestWorld::CollectingSink::write(WriteContext context) {
  auto data = context.getParams().getData();
  collected.count += data.size();
  collected.largestChunk = kj::max(collected.largestChunk, data.size());
  if (collected.keep) collected.bytes.addAll(data);
  return kj::READY_NOW;
}

kj::Promise<void> FilesTestWorld::CollectingSink::skip(SkipContext context) {
  collected.skipped += context.getParams().getBytes();
  return kj::READY_NOW;
}

kj::Promise<void> FilesTestWorld::CollectingSink::end(EndContext) {
  collected.ended = true;
  return kj::READY_NOW;
}

FilesTestWorld::FilesTestWorld(kj::Maybe<kj::Timer&> timer)
    : io(setupIo()),
      scope(io.waitScope),
      programs(io.unixEventPort, timer.orDefault(io.provider->getTimer()), Programs::Options{}),
      user(tester()),
      disk(io.unixEventPort),
      pipe(io.provider->newTwoWayPipe()),
      client(kj::heap<RpcConnection>(kj::mv(pipe.ends[1]))),
      files(client->bootstrap().castAs<rpc::Files>()) {
  world.makeDirectory("root");
  world.makeDirectory("outside");
  world.write("outside/secret", "secret");
  KJ_SYSCALL(chmod(world.path.cStr(), 0755));
  KJ_SYSCALL(chown(world.at("root").cStr(), user.uid, user.gid));
  server.emplace(kj::mv(pipe.ends[0]),
                 newFilesFacet(programs, root.emplace(openRoot(world.at("root"))), user.home,
                               limits, counters->addRef()));
  rights.emplace(user);
}

void FilesTestWorld::put(kj::StringPtr name, kj::StringPtr text) {
  world.write(kj::str("root/", name), text);
}

capnp::Response<rpc::Files::StatResults> FilesTestWorld::stat(kj::StringPtr path, bool follow) {
  auto request = files.statRequest();
  request.setPath(bytesOf(path));
  request.setFollowLinks(follow);
  return request.send().wait(scope);
}

FilesTestWorld::Reason FilesTestWorld::statFailure(kj::StringPtr path) {
  auto response = stat(path);
  REQUIRE(response.getOutcome().isFailed());
  return response.getOutcome().getFailed().getReason();
}

capnp::Response<rpc::Files::WriteResults> FilesTestWorld::beginWrite(kj::StringPtr path,
                                                                     Disposition disposition,
                                                                     bool makeParents,
                                                                     uint64_t offset) {
  auto request = files.writeRequest();
  request.setPath(bytesOf(path));
  auto options = request.initOptions();
  options.setDisposition(disposition);
  options.setMakeParents(makeParents);
  options.setOffset(offset);
  return request.send().wait(scope);
}

void FilesTestWorld::send(rpc::ByteSink::Client sink, kj::ArrayPtr<const kj::byte> bytes) {
  SinkWriter writer(sink);
  while (bytes.size() > 0) {
    auto count = kj::min(bytes.size(), size_t(rpc::PREFERRED_CHUNK_BYTES));
    writer.send(bytes.slice(0, count)).wait(scope);
    bytes = bytes.slice(count, bytes.size());
  }
}

kj::Promise<FilesTestWorld::Import> FilesTestWorld::beginImport(rpc::Files::Client files) {
  auto request = files.importTreeRequest();
  request.setPath(bytesOf("."));
  return request.send().dropPipeline();
}

void FilesTestWorld::write(kj::StringPtr path, kj::StringPtr text, Disposition disposition,
                           bool makeParents, uint64_t offset) {
  auto response = beginWrite(path, disposition, makeParents, offset);
  REQUIRE(response.getOutcome().isDone());
  send(response.getSink(), text.asBytes());
  response.getSink().endRequest().send().wait(scope);
}

capnp::Response<rpc::Files::ReadResults> FilesTestWorld::read(kj::StringPtr path,
                                                              Collected& collected, uint64_t offset,
                                                              uint64_t length) {
  auto request = files.readRequest();
  request.setPath(bytesOf(path));
  request.setOffset(offset);
  request.setLength(length);
  request.setSink(kj::heap<CollectingSink>(collected));
  return request.send().wait(scope);
}

capnp::Response<rpc::Files::MakeDirectoryResults> FilesTestWorld::makeDirectory(kj::StringPtr path,
                                                                                bool makeParents) {
  auto request = files.makeDirectoryRequest();
  request.setPath(bytesOf(path));
  request.setMakeParents(makeParents);
  return request.send().wait(scope);
}

capnp::Response<rpc::Files::MoveResults> FilesTestWorld::move(kj::StringPtr from, kj::StringPtr to,
                                                              bool replace) {
  auto request = files.moveRequest();
  request.setFrom(bytesOf(from));
  request.setTo(bytesOf(to));
  request.setReplace(replace);
  return request.send().wait(scope);
}

capnp::Response<rpc::Files::RemoveResults> FilesTestWorld::remove(kj::StringPtr path,
                                                                  bool recursive) {
  auto request = files.removeRequest();
  request.setPath(bytesOf(path));
  request.setRecursive(recursive);
  return request.send().wait(scope);
}

capnp::Response<rpc::Files::ListResults> FilesTestWorld::list(kj::StringPtr path, uint64_t cursor,
                                                              uint32_t limit) {
  auto request = files.listRequest();
  request.setPath(bytesOf(path));
  request.setCursor(cursor);
  request.setLimit(limit);
  return request.send().wait(scope);
}

capnp::Response<rpc::TreeImport::ResultResults> FilesTestWorld::import(
    kj::StringPtr path, kj::ArrayPtr<const kj::byte> archive, bool whole) {
  auto request = files.importTreeRequest();
  request.setWhole(whole);
  request.setPath(bytesOf(path));
  auto response = request.send().wait(scope);
  REQUIRE(response.getOutcome().isDone());
  auto sink = response.getSink();
  // A worker that has refused takes no more: its result says why.
  auto sending = kj::evalNow([&]() -> kj::Promise<void> {
                   auto write = sink.writeRequest();
                   write.setData(archive);
                   return write.send().then(
                       [sink]() mutable { return sink.endRequest().send().ignoreResult(); });
                 }).catch_([](kj::Exception&&) {});
  sending.wait(scope);
  return response.getImport().resultRequest().send().wait(scope);
}

}  // namespace bothy
