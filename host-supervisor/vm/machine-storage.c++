#include "vm/machine-storage.h"

#include <stdlib.h>

#include <kj/debug.h>
#include <kj/filesystem.h>
#include <kj/refcount.h>

#include <atomic>

#include "loop/worker-thread.h"
#include "vm/console-log.h"
#include "vm/libvirt-files.h"
#include "vm/qemu-logs.h"

namespace bothy {
namespace {

// Whether somebody still waits for the file of a console.
struct Wish final: public kj::AtomicRefcounted {
  mutable std::atomic<bool> isWithdrawn = false;
};

class HostStorage final: public MachineStorage {
public:
  HostStorage(kj::Timer& timer, const LibvirtDriverSettings& settings)
      : timer(timer),
        settings(settings),
        removals(timer, "the removal of machines' files"),
        records(timer, "the records of machines"),
        openings(timer, "the opening of consoles' files"),
        consoles(timer) {
    // Another libvirt keeps its logs itself.
    if (settings.uri.size() > 0) return;
    places.list(libvirtRoot(settings));
    logs = keepQemuLogsShort(timer, kj::str(libvirtRoot(settings), "/log/qemu"))
               .eagerlyEvaluate([](kj::Exception&& e) {
                 KJ_LOG(ERROR, "the logs of QEMU are not kept short any more", e.getDescription());
               });
  }
  KJ_DISALLOW_COPY_AND_MOVE(HostStorage);

  void saveRecord(const MachineRecord& record) override { record.save(settings.stateDir); }
  void removeRecord(kj::StringPtr name) override { MachineRecord::remove(settings.stateDir, name); }
  bool hasRecord(kj::StringPtr name) override {
    return MachineRecord::exists(settings.stateDir, name);
  }
  kj::Maybe<MachineRecord> loadRecord(kj::StringPtr name) override {
    return MachineRecord::load(settings.stateDir, name);
  }
  kj::Array<kj::String> listRecords() override { return MachineRecord::list(settings.stateDir); }
  kj::Promise<void> runApart(kj::Function<void()> work) override {
    return records.runBefore(kj::mv(work));
  }

  void prepareFiles(const VmSpec& spec) override {
    // The machine is started next.
    places.expect(spec.name);
    MachineFiles(spec.runtimeDir).prepare(spec);
  }
  void removeSecret(const MachineFiles& files) override { files.removeSecret(); }
  void makePrivate(kj::StringPtr path) override { bothy::makePrivate(path); }
  kj::Promise<void> removeFiles(const MachineFiles& files) override {
    return removals.runBefore([files = files.clone()]() { files.removeAll(); });
  }

  kj::Maybe<pid_t> qemuPid(kj::StringPtr name, uint32_t user) override {
    // libvirt has no call for it.
    auto fs = kj::newDiskFilesystem();
    auto path = fs->getCurrentPath().evalNative(libvirtFiles(name, user).pidFile());
    return fs->getRoot().tryOpenFile(path).map([](kj::Own<const kj::ReadableFile>&& file) -> pid_t {
      return atoi(file->readAllText().cStr());
    });
  }
  void makeLibvirtFilesPrivate(kj::StringPtr name, uint32_t user, int number) override {
    libvirtFiles(name, user).makePrivate(number);
    KJ_IF_MAYBE (qemu, qemuPid(name, user)) places.learn(name, number, *qemu);
  }
  bool isMonitorWithheld(kj::StringPtr name, uint32_t user) override {
    return libvirtFiles(name, user).isWithheld();
  }
  kj::Promise<void> removeLibvirtFiles(kj::StringPtr nameParam, uint32_t user) override {
    auto name = kj::str(nameParam);
    co_await removals.runBefore(
        [files = libvirtFiles(name, user), own = places.of(name)]() { files.removeRest(own); });
    places.forget(name);
  }

  kj::Promise<void> recordConsole(kj::StringPtr path, kj::Own<kj::AsyncIoStream> console,
                                  ConsoleTail& tail,
                                  kj::Own<kj::PromiseFulfiller<void>> firstWord) override {
    auto wish = kj::atomicRefcounted<Wish>();
    auto opening = openings.runBefore([path = kj::str(path), wish = kj::atomicAddRef(*wish)]() {
      return openConsoleFile(path, wish->isWithdrawn);
    });
    auto log = kj::heap<ConsoleLog>(consoles, path, kj::mv(opening), tail);
    auto recording = log->record(timer, kj::mv(console), kj::mv(firstWord));
    return recording.attach(kj::mv(log),
                            kj::defer([wish = kj::mv(wish)]() { wish->isWithdrawn = true; }));
  }

  kj::Promise<void> whenConsolesWritten() override { return consoles.whenAllWritten(); }

  kj::Maybe<DiskRoom::Space> measure(kj::StringPtr path) override {
    return DiskRoom::measure(path);
  }

private:
  kj::Timer& timer;
  const LibvirtDriverSettings& settings;
  LibvirtPlaces places;
  // One for each machine at most: it is not gone before.
  WorkerThread removals;
  // One at a time.  Not on the thread of the removals: what machines leave may be a tree of millions of entries.
  WorkerThread records;
  // One for each machine at most, too.  Not on the thread of the writes, of which one may hang for long.
  WorkerThread openings;
  ConsoleWriter consoles;
  kj::Promise<void> logs = nullptr;

  LibvirtFiles libvirtFiles(kj::StringPtr name, uint32_t user) const {
    return LibvirtFiles(settings, name, user);
  }
};

}  // namespace

kj::Own<MachineStorage> newHostStorage(kj::Timer& timer, const LibvirtDriverSettings& settings) {
  return kj::heap<HostStorage>(timer, settings);
}

}  // namespace bothy
