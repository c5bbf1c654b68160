#include "files/files-facet.h"

#include <errno.h>
#include <fcntl.h>
#include <kj/debug.h>
#include <sys/stat.h>
#include <unistd.h>

#include "files/archive-child.h"
#include "files/file-sending.h"
#include "files/file-sink.h"
#include "files/file-writer.h"
#include "files/tree-import.h"
#include "files/tree-turns.h"
#include "files/workspace-files.h"
#include "schema/limits.capnp.h"
#include "tree/file-time.h"
#include "wire/byte-sink.h"

namespace bothy {
namespace {

// Entries removed in one turn of the event loop.
constexpr uint REMOVE_STEP = 128;

class FilesFacet final: public rpc::Files::Server {
public:
  FilesFacet(Programs& programs, kj::Own<WorkspaceFiles> files, FilesLimits& limits,
             kj::Own<FileCounters> counters)
      : programs(programs),
        files(kj::mv(files)),
        limits(limits),
        counters(kj::mv(counters)),
        trees(kj::refcounted<TreeTurns>(programs.timer, limits.treeTransfers->addRef())),
        machineWriters(limits.writers->addRef()) {}

  kj::Promise<void> stat(StatContext context) override {
    using Links = WorkspaceFiles::Links;
    auto params = context.getParams();
    auto path = FilePath::parse(params.getPath());
    auto result = apply<FileDetails>(path, [&](FilePath& p) {
      return files->stat(p, params.getFollowLinks() ? Links::FOLLOW : Links::KEEP);
    });
    auto outcome = context.getResults().initOutcome();
    if (result.is<FileProblem>()) {
      result.get<FileProblem>().writeTo(outcome.initFailed(), params.getPath());
    } else {
      result.get<FileDetails>().writeTo(outcome.initEntry());
    }
    return kj::READY_NOW;
  }

  kj::Promise<void> list(ListContext context) override {
    auto params = context.getParams();
    auto limit = params.getLimit();
    if (limit == 0 || limit > rpc::MAX_LIST_ENTRIES) limit = rpc::MAX_LIST_ENTRIES;
    auto path = FilePath::parse(params.getPath());
    auto result = apply<DirectoryPages::Page>(
        path, [&](FilePath& p) { return files->list(p, params.getCursor(), limit); });
    auto outcome = context.getResults().initOutcome();
    if (result.is<FileProblem>()) {
      result.get<FileProblem>().writeTo(outcome.initFailed(), params.getPath());
      return kj::READY_NOW;
    }
    auto& page = result.get<DirectoryPages::Page>();
    auto builder = outcome.initPage();
    auto entries = builder.initEntries(page.entries.size());
    for (auto i : kj::indices(page.entries)) page.entries[i].writeTo(entries[i]);
    builder.setNextCursor(page.nextCursor);
    return kj::READY_NOW;
  }

  kj::Promise<void> read(ReadContext context) override {
    auto params = context.getParams();
    auto path = FilePath::parse(params.getPath());
    auto opened = apply<kj::AutoCloseFd>(path, [&](FilePath& p) { return files->openToRead(p); });
    auto outcome = context.getResults().initOutcome();
    if (opened.is<FileProblem>()) {
      opened.get<FileProblem>().writeTo(outcome.initFailed(), params.getPath());
      co_return;
    }
    ++counters->filesRead;
    auto read = co_await sendFile(
        kj::mv(opened.get<kj::AutoCloseFd>()), params.getOffset(), params.getLength(),
        params.getSink(), params.getSparse() ? Holes::SKIP : Holes::SEND, limits, *counters);
    if (read.is<FileProblem>()) {
      read.get<FileProblem>().writeTo(outcome.initFailed(), params.getPath());
      co_return;
    }
    outcome.setDone(read.get<SentFile>().bytes);
    read.get<SentFile>().details.writeTo(outcome.initEntry());
  }

  kj::Promise<void> write(WriteContext context) override {
    using Disposition = WriteSettings::Disposition;
    using Wanted = rpc::Files::WriteOptions::Disposition;
    auto params = context.getParams();
    auto options = params.getOptions();
    WriteSettings settings;
    settings.mode = options.getMode();
    settings.makeParents = options.getMakeParents();
    settings.offset = options.getOffset();
    settings.followLinks = options.getFollowLinks();
    if (options.getExactMode()) settings.modeRule = WriteSettings::Mode::EXACT;
    if (options.getModified().isNanos()) {
      settings.modified = timeOf(options.getModified().getNanos());
    }
    switch (options.getDisposition()) {
      case Wanted::REPLACE:
        settings.disposition = Disposition::REPLACE;
        break;
      case Wanted::CREATE_NEW:
        settings.disposition = Disposition::CREATE_NEW;
        break;
      case Wanted::PATCH:
        settings.disposition = Disposition::PATCH;
        break;
      default:
        KJ_UNIMPLEMENTED("a disposition that this agent does not know");
    }
    auto writerPlaces = takeWriter();
    auto path = FilePath::parse(params.getPath());
    auto opened = apply<kj::Own<FileWriter>>(
        path, [&](FilePath& p) { return FileWriter::open(files->root, p, settings); });
    auto results = context.getResults();
    if (opened.is<FileProblem>()) {
      opened.get<FileProblem>().writeTo(results.initOutcome().initFailed(), params.getPath());
    } else {
      results.initOutcome().setDone();
      // Not with the sink: what is limited is open files.
      auto writer = opened.get<kj::Own<FileWriter>>().attach(kj::mv(writerPlaces));
      auto target = newFileTarget(limits.disk, kj::addRef(*files), kj::mv(writer),
                                  kj::heapArray<kj::byte>(params.getPath()), counters->addRef());
      results.setSink(kj::mv(target.sink));
      results.setWriting(kj::mv(target.writing));
    }
    return kj::READY_NOW;
  }

  kj::Promise<void> makeDirectory(MakeDirectoryContext context) override {
    using Parents = WorkspaceFiles::Parents;
    auto params = context.getParams();
    auto path = FilePath::parse(params.getPath());
    auto result = apply<Done>(path, [&](FilePath& p) {
      return files->makeDirectory(p, params.getMode(),
                                  params.getMakeParents() ? Parents::MAKE : Parents::REQUIRE);
    });
    tellChange(context.getResults().initOutcome(), result, params.getPath());
    return kj::READY_NOW;
  }

  kj::Promise<void> move(MoveContext context) override {
    using Target = WorkspaceFiles::Target;
    auto params = context.getParams();
    auto from = FilePath::parse(params.getFrom());
    auto to = FilePath::parse(params.getTo());
    auto outcome = context.getResults().initOutcome();
    if (to.is<FileProblem>()) {
      to.get<FileProblem>().writeTo(outcome.initFailed(), params.getTo());
      return kj::READY_NOW;
    }
    auto result = apply<Done>(from, [&](FilePath& p) {
      return files->move(p, to.get<FilePath>(),
                         params.getReplace() ? Target::REPLACE : Target::KEEP);
    });
    tellChange(outcome, result, params.getFrom());
    return kj::READY_NOW;
  }

  kj::Promise<void> remove(RemoveContext context) override {
    auto params = context.getParams();
    auto path = FilePath::parse(params.getPath());
    if (!params.getRecursive()) {
      auto result = apply<Done>(path, [&](FilePath& p) { return files->remove(p); });
      tellChange(context.getResults().initOutcome(), result, params.getPath());
      co_return;
    }
    auto begun =
        apply<kj::Own<TreeRemoval>>(path, [&](FilePath& p) { return files->removeTree(p); });
    if (begun.is<FileProblem>()) {
      FileResult<Done> failed = kj::mv(begun.get<FileProblem>());
      writeOutcome(context.getResults().initOutcome(), failed, params.getPath());
      co_return;
    }
    // Whoever breaks it off, or meets a failure, has removed a part.
    ++counters->changes;
    auto& removal = *begun.get<kj::Own<TreeRemoval>>();
    while (true) {
      auto finished = removal.step(REMOVE_STEP);
      KJ_IF_MAYBE (result, finished) {
        writeOutcome(context.getResults().initOutcome(), *result, params.getPath());
        co_return;
      }
      // A timer that is due comes after what the machine's other clients sent meanwhile.
      co_await programs.timer.afterDelay(0 * kj::NANOSECONDS);
    }
  }

  kj::Promise<void> exportTree(ExportTreeContext context) override {
    auto turn = co_await nextTreeTransfer();
    auto params = context.getParams();
    auto path = FilePath::parse(params.getPath());
    auto place =
        apply<WorkspaceFiles::TreePlace>(path, [&](FilePath& p) { return files->findTree(p); });
    if (place.is<FileProblem>()) {
      place.get<FileProblem>().writeTo(context.getResults().initOutcome().initFailed(),
                                       params.getPath());
      co_return;
    }
    auto& tree = place.get<WorkspaceFiles::TreePlace>();
    auto started =
        co_await ArchiveChild::start(programs, ArchiveChild::Task::PACK, kj::mv(tree.directory),
                                     kj::mv(tree.name), kj::mv(turn));
    if (started.is<FileProblem>()) {
      started.get<FileProblem>().writeTo(context.getResults().initOutcome().initFailed(),
                                         params.getPath());
      co_return;
    }
    auto child = kj::mv(started.get<kj::Own<ArchiveChild>>());
    SinkWriter writer(params.getSink());
    co_await child->pumpTo(writer, limits, *counters);
    auto result = co_await child->result();
    KJ_IF_MAYBE (counts, result.tryGet<TreeCounts>()) counters->filesRead += counts->entries;
    if (result.is<TreeCounts>()) co_await writer.end();
    writeOutcome(context.getResults().initOutcome(), result, params.getPath());
  }

  kj::Promise<void> importTree(ImportTreeContext context) override {
    using Task = ArchiveChild::Task;
    using TreePlace = WorkspaceFiles::TreePlace;
    auto turn = co_await nextTreeTransfer();
    auto params = context.getParams();
    auto path = FilePath::parse(params.getPath());
    bool whole = params.getWhole();
    auto place = apply<TreePlace>(path, [&](FilePath& p) -> FileResult<TreePlace> {
      if (whole) return files->findPlace(p);
      auto directory = files->openDirectory(p);
      if (directory.is<FileProblem>()) return kj::mv(directory.get<FileProblem>());
      return TreePlace{kj::mv(directory.get<kj::AutoCloseFd>()), kj::str(".")};
    });
    if (place.is<FileProblem>()) {
      place.get<FileProblem>().writeTo(context.getResults().initOutcome().initFailed(),
                                       params.getPath());
      co_return;
    }
    auto& found = place.get<TreePlace>();
    auto started =
        co_await ArchiveChild::start(programs, whole ? Task::UNPACK_WHOLE : Task::UNPACK,
                                     kj::mv(found.directory), kj::mv(found.name), kj::mv(turn));
    auto results = context.getResults();
    if (started.is<FileProblem>()) {
      started.get<FileProblem>().writeTo(results.initOutcome().initFailed(), params.getPath());
      co_return;
    }
    auto child = kj::mv(started.get<kj::Own<ArchiveChild>>());
    auto ended = kj::newPromiseAndFulfiller<void>();
    results.setSink(newByteSink(child->takeInput(counters->addRef()), kj::mv(ended.fulfiller)));
    results.setImport(newTreeImport(kj::mv(child), kj::mv(ended.promise),
                                    kj::heapArray(params.getPath()), counters->addRef()));
    results.initOutcome().setDone();
  }

  kj::Promise<void> home(HomeContext context) override {
    context.getResults().setPath(files->home.asBytes());
    return kj::READY_NOW;
  }

  kj::Promise<void> makeSymlink(MakeSymlinkContext context) override {
    auto params = context.getParams();
    auto path = FilePath::parse(params.getPath());
    // A link's target has the limits of a path, and stands as it is given.
    auto target = FilePath::parse(params.getTarget());
    auto result = apply<Done>(path, [&](FilePath& p) -> FileResult<Done> {
      if (target.is<FileProblem>()) return kj::mv(target.get<FileProblem>());
      return files->makeSymlink(p, kj::heapString(params.getTarget().asChars()),
                                timeOf(params.getModifiedNanos()));
    });
    tellChange(context.getResults().initOutcome(), result, params.getPath());
    return kj::READY_NOW;
  }

private:
  using Place = Places::Place;
  // Of the lane and of the machine.
  struct LimitPlaces {
    kj::Own<Place> lane;
    kj::Own<Place> machine;
  };

  Programs& programs;
  kj::Own<WorkspaceFiles> files;
  FilesLimits& limits;
  kj::Own<FileCounters> counters;
  kj::Own<Places> transfers = kj::refcounted<Places>(rpc::MAX_LANE_TRANSFERS);
  kj::Own<Places> writers = kj::refcounted<Places>(rpc::MAX_LANE_WRITERS);
  kj::Own<TreeTurns> trees;
  kj::Own<Places> machineWriters;

  // For as long as a worker lives.
  kj::Promise<kj::Own<void>> nextTreeTransfer() {
    auto place = co_await transfers->take();
    auto turn = co_await trees->next();
    co_return turn.attach(kj::mv(place));
  }

  LimitPlaces takeWriter() {
    KJ_IF_MAYBE (lane, writers->tryTake()) {
      KJ_IF_MAYBE (machine, machineWriters->tryTake()) {
        return {kj::mv(*lane), kj::mv(*machine)};
      }
      kj::throwFatalException(KJ_EXCEPTION(
          OVERLOADED, "as many files are being written in this workspace as may (maxWriters)",
          machineWriters->limit));
    }
    kj::throwFatalException(KJ_EXCEPTION(
        OVERLOADED, "as many files of this lane are being written as may (maxLaneWriters)",
        writers->limit));
  }

  // `operation` on a path that parsed; else why it did not.
  template <typename T, typename Operation>
  static FileResult<T> apply(FileResult<FilePath>& path, Operation operation) {
    if (path.is<FileProblem>()) return kj::mv(path.get<FileProblem>());
    return operation(path.get<FilePath>());
  }

  // Of what is a change, which is counted.
  void tellChange(rpc::Files::Outcome::Builder builder, const FileResult<Done>& result,
                  kj::ArrayPtr<const kj::byte> path) {
    if (result.is<Done>()) ++counters->changes;
    writeOutcome(builder, result, path);
  }
  static void writeOutcome(rpc::Files::Outcome::Builder builder, const FileResult<Done>& result,
                           kj::ArrayPtr<const kj::byte> path) {
    if (result.is<FileProblem>()) {
      result.get<FileProblem>().writeTo(builder.initFailed(), path);
    } else {
      builder.setDone();
    }
  }
  static void writeOutcome(rpc::Files::TreeOutcome::Builder builder,
                           const FileResult<TreeCounts>& result,
                           kj::ArrayPtr<const kj::byte> path) {
    bothy::writeOutcome(builder, result, path);
  }
};

}  // namespace

kj::Own<rpc::Files::Server> newFilesFacet(Programs& programs, const WorkspaceRoot& root,
                                          kj::StringPtr home, FilesLimits& limits,
                                          kj::Own<FileCounters> counters) {
  return kj::heap<FilesFacet>(programs, kj::refcounted<WorkspaceFiles>(root, home), limits,
                              kj::mv(counters));
}

kj::AutoCloseFd openRoot(kj::StringPtr path) {
  int fd;
  KJ_SYSCALL(fd = open(path.cStr(), O_PATH | O_DIRECTORY | O_CLOEXEC), path);
  return kj::AutoCloseFd(fd);
}

}  // namespace bothy
