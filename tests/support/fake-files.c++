#include "support/fake-files.h"

#include <kj/debug.h>

namespace bothy {
namespace {

kj::String pathOf(capnp::Data::Reader path) {
  auto text = kj::heapString(path.asChars());
  return text.startsWith("/") ? kj::mv(text) : kj::str("/", text);
}

class FileWriter final: public rpc::ByteSink::Server {
public:
  FileWriter(FakeFiles& files, kj::String path, uint16_t mode)
      : files(files), path(kj::mv(path)), mode(mode) {}

  kj::Promise<void> write(WriteContext context) override {
    KJ_REQUIRE(!path.startsWith("/full"), "the file was not written");
    bytes.addAll(context.getParams().getData());
    return kj::READY_NOW;
  }
  kj::Promise<void> end(EndContext context) override {
    files.put(path, {.bytes = bytes.releaseAsArray(), .mode = mode});
    return kj::READY_NOW;
  }

private:
  FakeFiles& files;
  kj::String path;
  uint16_t mode;
  kj::Vector<kj::byte> bytes;
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
  explicit FilesServer(FakeFiles& files) : files(files) {}

  kj::Promise<void> stat(StatContext context) override {
    auto outcome = context.getResults().initOutcome();
    KJ_IF_MAYBE (file, files.find(pathOf(context.getParams().getPath()))) {
      auto entry = outcome.initEntry();
      entry.setKind(file->directory ? rpc::FileKind::DIRECTORY : rpc::FileKind::FILE);
      entry.setMode(file->mode);
      entry.setSize(file->bytes.size());
    } else {
      outcome.initFailed().setReason(rpc::FileFailure::Reason::NOT_FOUND);
    }
    return kj::READY_NOW;
  }
  kj::Promise<void> read(ReadContext context) override {
    auto params = context.getParams();
    auto sink = params.getSink();
    auto& file = KJ_REQUIRE_NONNULL(files.find(pathOf(params.getPath())));
    constexpr size_t CHUNK_BYTES = 1000;
    for (size_t at = 0; at < file.bytes.size(); at += CHUNK_BYTES) {
      auto request = sink.writeRequest();
      request.setData(file.bytes.slice(at, kj::min(at + CHUNK_BYTES, file.bytes.size())));
      co_await request.send();
      if (file.stopsInTheMiddle) co_await kj::Promise<void>(kj::NEVER_DONE);
    }
    co_await sink.endRequest().send();
    context.getResults().initOutcome().setDone(file.bytes.size());
  }
  kj::Promise<void> write(WriteContext context) override {
    auto params = context.getParams();
    auto path = pathOf(params.getPath());
    auto results = context.getResults();
    auto outcome = results.initOutcome();
    if (path.startsWith("/locked")) {
      outcome.initFailed().setReason(rpc::FileFailure::Reason::PERMISSION_DENIED);
    } else {
      if (path.startsWith("/full")) results.setWriting(kj::heap<FullDisk>());
      results.setSink(kj::heap<FileWriter>(files, kj::mv(path), params.getOptions().getMode()));
      outcome.setDone();
    }
    return kj::READY_NOW;
  }

private:
  FakeFiles& files;
};

}  // namespace

void FakeFiles::put(kj::StringPtr path, File file) {
  files.upsert(kj::str(path), kj::mv(file), [](File& old, File&& made) { old = kj::mv(made); });
}

rpc::Files::Client FakeFiles::serve() {
  return kj::heap<FilesServer>(*this);
}

}  // namespace bothy
