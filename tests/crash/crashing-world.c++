#include "crash/crashing-world.h"

namespace bothy {

class CrashingWorld::CrashingStore final: public Store {
public:
  CrashingStore(CrashPoint& point, Store& inner) : point(point), inner(inner) {}

  kj::Promise<StoredState> begin() override { return inner.begin(); }
  kj::Promise<Committed> commit(Change change) override {
    KJ_IF_MAYBE (effect, effectOf(change)) {
      point.begins(*effect);
      return follow(kj::mv(*effect), inner.commit(kj::mv(change)));
    }
    return inner.commit(kj::mv(change));
  }
  kj::Promise<kj::Maybe<RequestRecord>> request(kj::StringPtr id) override {
    return inner.request(id);
  }
  kj::Promise<kj::Maybe<kj::Array<const kj::byte>>> configuration(
      kj::StringPtr workspaceId) override {
    return inner.configuration(workspaceId);
  }
  kj::Promise<EventPage> events(uint64_t after, size_t limit) override {
    return inner.events(after, limit);
  }
  kj::Promise<void> untilFenced() override { return inner.untilFenced(); }

private:
  CrashPoint& point;
  Store& inner;

  // It owns the name.
  kj::Promise<Committed> follow(kj::String effect, kj::Promise<Committed> promise) {
    co_return co_await point.follow(effect, kj::mv(promise));
  }

  // Of a change of rows; notices alone are no step of anything.
  static kj::Maybe<kj::String> effectOf(const Change& change) {
    for (auto& step : change.steps) {
      KJ_SWITCH_ONEOF(step) {
        KJ_CASE_ONEOF(add, Change::Add<WorkspaceRow>) {
          return kj::str("insert of a row");
        }
        KJ_CASE_ONEOF(update, Change::Update<WorkspaceRow>) {
          return kj::str("update to ", update.row.rest);
        }
        KJ_CASE_ONEOF(remove, Change::RemoveWorkspace) {
          return kj::str("removal of a row");
        }
        KJ_CASE_ONEOF(put, Change::PutMachine) {
          return kj::str("lease of a machine");
        }
        KJ_CASE_ONEOF(release, Change::ReleaseMachine) {
          return kj::str("release of a lease");
        }
        KJ_CASE_ONEOF(add, Change::Add<OperationRow>) {
          return kj::str("beginning of a ", add.row.kind);
        }
        KJ_CASE_ONEOF(update, Change::Update<OperationRow>) {
          return kj::str("step ", update.row.step);
        }
        KJ_CASE_ONEOF(remove, Change::RemoveOperation) {
          return kj::str("end of an operation");
        }
        KJ_CASE_ONEOF(update, Change::Update<RequestRecord>) {
          return kj::str("outcome of a request");
        }
        KJ_CASE_ONEOF(add, Change::Add<SessionRow>) {
          return kj::str("insert of a session");
        }
        KJ_CASE_ONEOF(update, Change::Update<SessionRow>) {
          // When it was used last is no step of anything.
          if (update.row.revokedNanos != 0) return kj::str("revocation of a session");
        }
        KJ_CASE_ONEOF(remove, Change::RemoveSession) {
          return kj::str("removal of a session");
        }
        KJ_CASE_ONEOF_DEFAULT {}
      }
    }
    return nullptr;
  }
};

class CrashingWorld::CrashingKeys final: public KeyKeeper {
public:
  CrashingKeys(CrashPoint& point, KeyKeeper& inner) : point(point), inner(inner) {}

  kj::Promise<void> create(kj::StringPtr id) override {
    point.begins("creation of a key");
    return point.follow("creation of a key", inner.create(id));
  }
  kj::Promise<Secret> open(kj::StringPtr id) override { return inner.open(id); }
  kj::Promise<void> destroy(kj::StringPtr id) override {
    point.begins("destruction of a key");
    return point.follow("destruction of a key", inner.destroy(id));
  }
  kj::Promise<kj::Array<kj::String>> list() override { return inner.list(); }

private:
  CrashPoint& point;
  KeyKeeper& inner;
};

class CrashingWorld::CrashingVolumes final: public VolumeStore {
public:
  CrashingVolumes(CrashPoint& point, VolumeStore& inner) : point(point), inner(inner) {}

  kj::Promise<void> create(kj::StringPtr id, uint64_t bytes, Secret key) override {
    point.begins("creation of a volume");
    return point.follow("creation of a volume", inner.create(id, bytes, kj::mv(key)));
  }
  kj::Promise<void> give(kj::StringPtr id, uint32_t uid) override {
    point.begins("gift of a volume");
    return point.follow("gift of a volume", inner.give(id, uid));
  }
  kj::Promise<void> reclaim(kj::StringPtr id) override {
    point.begins("return of a volume");
    return point.follow("return of a volume", inner.reclaim(id));
  }
  kj::Promise<void> grow(kj::StringPtr id, uint64_t bytes) override {
    point.begins("growth of a volume");
    return point.follow("growth of a volume", inner.grow(id, bytes));
  }
  kj::Promise<void> check(kj::StringPtr id, uint64_t bytes) override {
    return inner.check(id, bytes);
  }
  kj::Promise<void> requireRoom() override { return inner.requireRoom(); }
  kj::Promise<uint64_t> freeBytes() override { return inner.freeBytes(); }
  kj::Promise<void> destroy(kj::StringPtr id) override {
    point.begins("destruction of a volume");
    return point.follow("destruction of a volume", inner.destroy(id));
  }
  kj::Promise<void> createMemory(kj::StringPtr id, uint64_t bytes, Secret key) override {
    point.begins("room for memory");
    return point.follow("room for memory", inner.createMemory(id, bytes, kj::mv(key)));
  }
  kj::Promise<uint64_t> sealMemory(kj::StringPtr id, uint64_t generation, Secret key) override {
    point.begins("seal of memory");
    return point.follow("seal of memory", inner.sealMemory(id, generation, kj::mv(key)));
  }
  kj::Promise<void> checkMemory(kj::StringPtr id, uint64_t generation, Secret key) override {
    return inner.checkMemory(id, generation, kj::mv(key));
  }
  kj::Promise<void> destroyMemory(kj::StringPtr id) override {
    point.begins("destruction of memory");
    return point.follow("destruction of memory", inner.destroyMemory(id));
  }
  kj::String memoryPath(kj::StringPtr id) override { return inner.memoryPath(id); }
  kj::String path(kj::StringPtr id) override { return inner.path(id); }
  kj::Promise<kj::Array<Listed>> list() override { return inner.list(); }

private:
  CrashPoint& point;
  VolumeStore& inner;
};

// A machine, whose pause and resume are effects.
class CrashingVm final: public RunningVm {
public:
  CrashingVm(CrashPoint& point, kj::Own<RunningVm> inner) : point(point), inner(kj::mv(inner)) {}

  kj::Promise<kj::Own<kj::AsyncIoStream>> dial(uint32_t port) override { return inner->dial(port); }
  kj::Promise<VmEnd> onEnd() override { return inner->onEnd(); }
  kj::Promise<void> destroy() override { return inner->destroy(); }
  bool isEnding() override { return inner->isEnding(); }
  void renewVsock() override { inner->renewVsock(); }
  kj::Promise<void> pause() override {
    point.begins("pause of a machine");
    return point.follow("pause of a machine", inner->pause());
  }
  kj::Promise<void> resume() override {
    // Also asked of one that runs, where nothing is to be done.
    if (!inner->isPaused()) return inner->resume();
    point.begins("resume of a machine");
    return point.follow("resume of a machine", inner->resume());
  }
  bool isPaused() override { return inner->isPaused(); }
  kj::Promise<void> save(MemoryFile file) override {
    point.begins("save of a machine");
    return point.follow("save of a machine", inner->save(kj::mv(file)));
  }
  kj::Promise<void> limitIo(IoLimits limits) override { return inner->limitIo(limits); }
  bool keepsStreams() override { return inner->keepsStreams(); }
  bool isStalled() override { return inner->isStalled(); }
  uint32_t user() override { return inner->user(); }
  kj::Array<kj::byte> consoleEnd() override { return inner->consoleEnd(); }
  bool isConsoleKnown() override { return inner->isConsoleKnown(); }
  uint64_t qemuPid() override { return inner->qemuPid(); }

private:
  CrashPoint& point;
  kj::Own<RunningVm> inner;
};

class CrashingWorld::CrashingDriver final: public VmDriver {
public:
  CrashingDriver(CrashPoint& point, VmDriver& inner) : point(point), inner(inner) {}

  const HostAbilities& abilities() override { return inner.abilities(); }
  void setEvents(Events& events) override { inner.setEvents(events); }
  kj::Promise<kj::Own<RunningVm>> start(VmSpec spec, kj::Maybe<TurnListener&> listener) override {
    point.begins("start of a machine");
    return point.follow("start of a machine", inner.start(kj::mv(spec), listener))
        .then([this](kj::Own<RunningVm> vm) { return crashing(kj::mv(vm)); });
  }
  kj::Promise<kj::Own<RunningVm>> restore(VmSpec spec, MemoryFile file,
                                          kj::Maybe<TurnListener&> listener) override {
    point.begins("restoration of a machine");
    return point
        .follow("restoration of a machine", inner.restore(kj::mv(spec), kj::mv(file), listener))
        .then([this](kj::Own<RunningVm> vm) { return crashing(kj::mv(vm)); });
  }
  kj::Promise<kj::Maybe<kj::Own<RunningVm>>> adopt(VmSpec spec) override {
    point.begins("takeover of a machine");
    return point.follow("takeover of a machine", inner.adopt(kj::mv(spec)))
        .then([this](kj::Maybe<kj::Own<RunningVm>> vm) {
          return kj::mv(vm).map(
              [this](kj::Own<RunningVm>&& found) { return crashing(kj::mv(found)); });
        });
  }
  kj::Promise<void> remove(kj::StringPtr name, kj::Maybe<uint32_t> user) override {
    point.begins("removal of a machine");
    return point.follow("removal of a machine", inner.remove(name, user));
  }
  kj::Promise<kj::Array<MachineUser>> users() override { return inner.users(); }
  kj::Promise<kj::Array<VmConsumption>> consumption() override { return inner.consumption(); }

  kj::Promise<void> whenNotDialling() override { return inner.whenNotDialling(); }
  kj::Promise<void> whenConsolesWritten() override { return inner.whenConsolesWritten(); }

private:
  CrashPoint& point;
  VmDriver& inner;

  kj::Own<RunningVm> crashing(kj::Own<RunningVm> vm) {
    return kj::heap<CrashingVm>(point, kj::mv(vm));
  }
};

class CrashingWorld::CrashingFiles final: public WorkspaceFiles {
public:
  CrashingFiles(CrashPoint& point, WorkspaceFiles& inner) : point(point), inner(inner) {}

  Paths paths(kj::StringPtr id) override { return inner.paths(id); }
  kj::Promise<void> prepare(kj::StringPtr id) override {
    point.begins("preparation of files");
    return point.follow("preparation of files", inner.prepare(id));
  }
  kj::Promise<kj::String> consoleEnd(kj::StringPtr id) override { return inner.consoleEnd(id); }
  kj::Promise<void> remove(kj::StringPtr id) override {
    point.begins("removal of files");
    return point.follow("removal of files", inner.remove(id));
  }
  kj::Promise<kj::Array<kj::String>> removeStrays(IsKnown isKnown) override {
    return inner.removeStrays(kj::mv(isKnown));
  }

private:
  CrashPoint& point;
  WorkspaceFiles& inner;
};

CrashingWorld::CrashingWorld(World inner)
    : inner(inner),
      store(kj::heap<CrashingStore>(point, inner.store)),
      keys(kj::heap<CrashingKeys>(point, inner.keys)),
      volumes(kj::heap<CrashingVolumes>(point, inner.volumes)),
      driver(kj::heap<CrashingDriver>(point, inner.driver)),
      files(kj::heap<CrashingFiles>(point, inner.files)) {}

CrashingWorld::~CrashingWorld() noexcept(false) {}

World CrashingWorld::get() {
  return {*store, inner.events,     *keys,       *volumes,    *driver,        inner.images,
          *files, inner.randomness, inner.timer, inner.clock, inner.deadlines};
}

}  // namespace bothy
