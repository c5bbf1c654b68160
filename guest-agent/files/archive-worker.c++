#include "files/archive-worker.h"

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <errno.h>
#include <fcntl.h>
#include <kj/string.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tree/archive-pack.h"
#include "tree/archive-unpack.h"
#include "tree/staged-tree.h"

namespace bothy {
namespace {

constexpr int DIRECTORY_FD = 0;
constexpr int ARCHIVE_FD = 1;
constexpr int REPORT_FD = 2;
constexpr mode_t UMASK = 022;

// What SIGTERM does to "unpack-whole": the archive is at its end, and has no confirmation.
volatile sig_atomic_t givenUp = 0;
int nullFd = -1;

void giveUp(int) {
  givenUp = 1;
  // A read that begins after this finds the end; one under way was interrupted and begins anew.
  dup2(nullFd, ARCHIVE_FD);
}

void giveUpOnTermination() {
  nullFd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  struct sigaction action = {};
  action.sa_handler = giveUp;
  sigaction(SIGTERM, &action, nullptr);
}

bool isConfirmed() {
  char byte = 0;
  ssize_t count;
  while ((count = read(REPORT_FD, &byte, 1)) < 0 && errno == EINTR && givenUp == 0) {
  }
  return count == 1 && byte == CONFIRMATION && givenUp == 0;
}

kj::Maybe<FileProblem> unpack(TreeWriter& writer, TreeProgress& progress) {
  UnpackOptions options;
  options.compression = UnpackOptions::Compression::GZIP_AND_ZSTD;
  return unpackArchive(ARCHIVE_FD, writer, options, progress);
}

kj::Maybe<FileProblem> unpackWhole(kj::StringPtr name, TreeProgress& progress) {
  giveUpOnTermination();
  auto made = StagedTree::make(DIRECTORY_FD, name);
  if (made.is<FileProblem>()) return kj::mv(made.get<FileProblem>());
  auto& staged = *made.get<kj::Own<StagedTree>>();
  TreeWriter writer(staged.fd(), TreeWriter::Duplicates::REPLACE, TreeWriter::Root::SET);
  auto problem = unpack(writer, progress);
  // What SIGTERM cut off is no fault of the archive's, and nobody need confirm it.
  if (problem != nullptr && givenUp == 0) return problem;
  if (givenUp != 0 || !isConfirmed()) {
    return FileProblem::of(FileProblem::Reason::ABANDONED,
                           kj::str("the archive stopped before its end"));
  }
  return staged.commit(writer);
}

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
  } else if (kj::StringPtr(argv[2]) == "unpack-whole") {
    problem = unpackWhole(argv[3], progress);
  } else {
    TreeWriter writer(DIRECTORY_FD, TreeWriter::Duplicates::REPLACE);
    problem = unpack(writer, progress);
    if (problem == nullptr) problem = writer.finish(DIRECTORY_FD);
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
