#include "support/fake-files.h"

#include <kj/debug.h>

namespace bothy {
namespace {

kj::String pathOf(capnp::Data::Reader path) {
  auto text = kj::heapString(path.asChars());
  return text.startsWith("/") ? kj::mv(text) : kj::str("/", text);
}

// Takes the end of a write, as far as it is not lost: `put` gives what was written its place.
kj::Promise<void> takeEnd(FakeFiles& files, kj::FunctionParam<void()> put) {
  using Losing = FakeFiles::Losing;
  ++files.writesEnded;
  if (files.losing == Losing::END) return kj::NEVER_DONE;
  put();
  if (files.losing == Losing::ANSWER) return kj::NEVER_DONE;
  return kj::READY_NOW;
}

class FileWriter final: public rpc::SparseSink::Server {
public:
  // `result` is fulfilled with whether it was written to its end.
  FileWriter(FakeFiles& files, kj::String path, uint16_t mode, int64_t modifiedNanos,
             kj::Own<kj::PromiseFulfiller<bool>> result)
      : files(files),
        path(kj::mv(path)),
        mode(mode),
        modifiedNanos(modifiedNanos),
        result(kj::mv(result)) {}
  ~FileWriter() noexcept(false) { result->fulfill(false); }

  kj::Promise<void> write(WriteContext context) override {
    KJ_REQUIRE(!path.startsWith("/full"), "the file was not written");
    if (files.writesStall) return kj::NEVER_DONE;
    bytes.addAll(context.getParams().getData());
    return kj::READY_NOW;
  }
  kj::Promise<void> skip(SkipContext context) override {
    for (uint64_t i = 0; i < context.getParams().getBytes(); ++i) bytes.add(0);
    return kj::READY_NOW;
  }
  kj::Promise<void> end(EndContext context) override {
    return takeEnd(files, [&] {
      files.put(path,
                {.bytes = bytes.releaseAsArray(), .mode = mode, .modifiedNanos = modifiedNanos});
      result->fulfill(true);
    });
  }

private:
  FakeFiles& files;
  kj::String path;
  uint16_t mode;
  int64_t modifiedNanos;
  kj::Own<kj::PromiseFulfiller<bool>> result;
  kj::Vector<kj::byte> bytes;
};

class FileWriting final: public rpc::FileWriting::Server {
public:
  explicit FileWriting(kj::Promise<bool> whole) : whole(whole.fork()) {}

  kj::Promise<void> result(ResultContext context) override {
    auto outcome = context.getResults().initOutcome();
    if (co_await whole.addBranch()) {
      outcome.setDone();
    } else {
      outcome.initFailed().setReason(rpc::FileFailure::Reason::ABANDONED);
    }
  }

private:
  kj::ForkedPromise<bool> whole;
};

// Takes a tree's archive, and looks at none of it.
class TreeTaker final: public rpc::ByteSink::Server {
public:
  TreeTaker(FakeFiles& files, kj::String path) : files(files), path(kj::mv(path)) {}
  ~TreeTaker() noexcept(false) {
    if (!ended) ++files.importsAbandoned;
  }
  kj::Promise<void> write(WriteContext context) override { return kj::READY_NOW; }
  kj::Promise<void> end(EndContext context) override {
    ended = true;
    ++files.importsEnded;
    return takeEnd(files, [&] {
      files.put(path, {.bytes = nullptr,
                       .mode = files.treeMode,
                       .directory = true,
                       .modifiedNanos = files.treeModifiedNanos});
    });
  }

private:
  FakeFiles& files;
  kj::String path;
  bool ended = false;
};

class Import final: public rpc::TreeImport::Server {
public:
  explicit Import(FakeFiles& files) : files(files) {}

  kj::Promise<void> result(ResultContext context) override {
    if (files.losing != FakeFiles::Losing::NOTHING) return kj::NEVER_DONE;
    context.getResults().initOutcome().initDone();
    return kj::READY_NOW;
  }

private:
  FakeFiles& files;
};

class FullDisk final: public rpc::FileWriting::Server {
public:
  kj::Promise<void> result(ResultContext context) override {
    auto failed = context.getResults().initOutcome().initFailed();
    failed.setReason(rpc::FileFailure::Reason::NO_SPACE);
    return kj::READY_NOW;
  }
};

class FilesServer final: public rpc::Files::Server {
public:
  FilesServer(FakeFiles& files, rpc::FileAccess access) : files(files), access(access) {}

  kj::Promise<void> stat(StatContext context) override {
    auto outcome = context.getResults().initOutcome();
    KJ_IF_MAYBE (file, files.find(pathOf(context.getParams().getPath()))) {
      auto entry = outcome.initEntry();
      entry.setKind(file->directory ? rpc::FileKind::DIRECTORY : rpc::FileKind::FILE);
      KJ_IF_MAYBE (target, file->linkTarget) {
        entry.setKind(rpc::FileKind::SYMLINK);
        entry.setLinkTarget(target->asBytes());
      }
      describe(*file, entry);
      entry.setSize(file->saidSize.orDefault(file->bytes.size()));
    } else {
      outcome.initFailed().setReason(rpc::FileFailure::Reason::NOT_FOUND);
    }
    return kj::READY_NOW;
  }
  kj::Promise<void> read(ReadContext context) override {
    auto params = context.getParams();
    auto sink = params.getSink();
    auto path = pathOf(params.getPath());
    auto replacement = kj::mv(KJ_REQUIRE_NONNULL(files.find(path)).replacement);
    if (replacement.get() != nullptr) files.put(path, kj::mv(*replacement));
    auto& file = KJ_REQUIRE_NONNULL(files.find(path));
    constexpr size_t CHUNK_BYTES = 1000;
    // One that lies about its size does not stop at what is asked for either.
    auto length = params.getLength();
    size_t end = file.bytes.size();
    auto begin = params.getOffset();
    files.readsFrom.add(begin);
    if (length != 0 && file.saidSize == nullptr) end = kj::min(begin + length, file.bytes.size());
    for (size_t at = begin; at < end; at += CHUNK_BYTES) {
      auto request = sink.writeRequest();
      request.setData(file.bytes.slice(at, kj::min(at + CHUNK_BYTES, end)));
      co_await request.send();
      if (file.stopsInTheMiddle) co_await kj::Promise<void>(kj::NEVER_DONE);
    }
    co_await sink.endRequest().send();
    auto outcome = context.getResults().initOutcome();
    outcome.setDone(end - kj::min(begin, end));
    describe(file, outcome.initEntry());
  }
  kj::Promise<void> home(HomeContext context) override {
    context.getResults().setPath(files.home.asBytes());
    return kj::READY_NOW;
  }
  kj::Promise<void> makeSymlink(MakeSymlinkContext context) override {
    requireWriting();
    auto params = context.getParams();
    context.getResults().initOutcome().setDone();
    return takeEnd(files, [&] {
      files.put(pathOf(params.getPath()),
                {.bytes = nullptr,
                 .modifiedNanos = params.getModifiedNanos(),
                 .linkTarget = kj::heapString(params.getTarget().asChars())});
    });
  }
  kj::Promise<void> exportTree(ExportTreeContext context) override {
    auto params = context.getParams();
    auto sink = params.getSink();
    auto& file = KJ_REQUIRE_NONNULL(files.find(pathOf(params.getPath())));
    auto request = sink.writeRequest();
    request.setData(KJ_REQUIRE_NONNULL(file.archive));
    co_await request.send();
    if (file.stopsInTheMiddle) co_await kj::Promise<void>(kj::NEVER_DONE);
    co_await sink.endRequest().send();
    context.getResults().initOutcome().initDone();
  }
  kj::Promise<void> importTree(ImportTreeContext context) override {
    requireWriting();
    auto results = context.getResults();
    results.setSink(kj::heap<TreeTaker>(files, pathOf(context.getParams().getPath())));
    results.setImport(kj::heap<Import>(files));
    results.initOutcome().setDone();
    return kj::READY_NOW;
  }
  kj::Promise<void> write(WriteContext context) override {
    requireWriting();
    auto params = context.getParams();
    auto path = pathOf(params.getPath());
    auto results = context.getResults();
    auto outcome = results.initOutcome();
    if (path.startsWith("/locked")) {
      outcome.initFailed().setReason(rpc::FileFailure::Reason::PERMISSION_DENIED);
    } else {
      auto whole = kj::newPromiseAndFulfiller<bool>();
      if (path.startsWith("/full")) {
        results.setWriting(kj::heap<FullDisk>());
      } else {
        results.setWriting(kj::heap<FileWriting>(kj::mv(whole.promise)));
      }
      auto options = params.getOptions();
      results.setSink(kj::heap<FileWriter>(
          files, kj::mv(path), options.getMode(),
          options.getModified().isNanos() ? options.getModified().getNanos() : 0,
          kj::mv(whole.fulfiller)));
      outcome.setDone();
    }
    return kj::READY_NOW;
  }

private:
  FakeFiles& files;
  const rpc::FileAccess access;

  void requireWriting() {
    KJ_REQUIRE(access == rpc::FileAccess::WRITE, "the grant of this lane does not allow it");
  }

  static void describe(const FakeFiles::File& file, rpc::FileEntry::Builder entry) {
    entry.setMode(file.mode);
    entry.setInode(file.inode);
    entry.setModifiedNanos(file.modifiedNanos);
    entry.setChangedNanos(file.modifiedNanos);
  }
};

}  // namespace

void FakeFiles::put(kj::StringPtr path, File file) {
  file.inode = ++inodes;
  files.upsert(kj::str(path), kj::mv(file), [](File& old, File&& made) { old = kj::mv(made); });
}

rpc::Files::Client FakeFiles::serve(rpc::FileAccess granted) {
  access = granted;
  return kj::heap<FilesServer>(*this, granted);
}

}  // namespace bothy
