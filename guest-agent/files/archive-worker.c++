#include "files/archive-worker.h"

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <kj/string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "tree/archive-pack.h"
#include "tree/archive-unpack.h"

namespace bothy {
namespace {

constexpr int DIRECTORY_FD = 0;
constexpr int ARCHIVE_FD = 1;
constexpr int REPORT_FD = 2;
constexpr mode_t UMASK = 022;

}  // namespace

bool isArchiveWorker(int argc, const char* const* argv) {
  return argc == 4 && kj::StringPtr(argv[1]) == "--archive-worker";
}

int archiveWorkerMain(int argc, const char* const* argv) {
  if (!isArchiveWorker(argc, argv)) return 2;
  umask(UMASK);
  const rlimit noCore = {0, 0};
  setrlimit(RLIMIT_CORE, &noCore);

  TreeProgress progress;
  kj::Maybe<FileProblem> problem;
  if (kj::StringPtr(argv[2]) == "pack") {
    problem = packTree(DIRECTORY_FD, argv[3], ARCHIVE_FD, progress);
  } else {
    TreeWriter writer(DIRECTORY_FD, TreeWriter::Duplicates::REPLACE);
    UnpackOptions options;
    options.compression = UnpackOptions::Compression::GZIP_AND_ZSTD;
    problem = unpackArchive(ARCHIVE_FD, writer, options, progress);
  }

  capnp::MallocMessageBuilder message;
  auto outcome = message.initRoot<rpc::Files::TreeOutcome>();
  KJ_IF_MAYBE (p, problem) {
    p->writeTo(outcome.initFailed(), nullptr);
  } else {
    outcome.initDone().setEntries(progress.entries);
    outcome.getDone().setSkipped(progress.skipped);
  }
  capnp::writeMessageToFd(REPORT_FD, message);
  return 0;
}

}  // namespace bothy
