#include "keys/local-keyring.h"

#include <kj/debug.h>
#include <kj/mutex.h>

#include <algorithm>
#include <deque>
#include <memory>

#include "keys/disk-key-files.h"
#include "keys/file-key-root.h"
#include "loop/worker-thread.h"

namespace bothy {
namespace {

// What the thread works at.  It outlives the keyring where a disk hangs.
class KeyringWork final: public kj::AtomicRefcounted {
public:
  struct Wish {
    KeyChange change;
    bool isDone = false;  // of the thread
  };

  explicit KeyringWork(kj::Own<KeyTree> tree) : tree(kj::mv(tree)) {}

  void add(std::shared_ptr<Wish> wish) { waiting.lockExclusive()->push_back(kj::mv(wish)); }

  // It is not made if that has not begun.
  void withdraw(const std::shared_ptr<Wish>& wish) {
    auto lock = waiting.lockExclusive();
    auto place = std::find(lock->begin(), lock->end(), wish);
    if (place != lock->end()) lock->erase(place);
  }

  // On the thread: makes it, with all that wait.
  void carryOut(Wish& wish) {
    while (!wish.isDone) {
      auto group = take();
      if (group.empty()) return;
      auto changes = KJ_MAP(member, group) {
        return &member->change;
      };
      tree->apply(changes);
      for (auto& member : group) member->isDone = true;
    }
    KJ_IF_MAYBE (failure, wish.change.failure) kj::throwFatalException(kj::cp(*failure));
  }

  // Of the thread alone.
  kj::Own<KeyTree> tree;

private:
  kj::MutexGuarded<std::deque<std::shared_ptr<Wish>>> waiting;

  std::deque<std::shared_ptr<Wish>> take() {
    auto lock = waiting.lockExclusive();
    auto end = lock->begin() + std::min(lock->size(), MAX_CHANGES_AT_ONCE);
    std::deque<std::shared_ptr<Wish>> group(lock->begin(), end);
    lock->erase(lock->begin(), end);
    return group;
  }
};

class LocalKeyring final: public KeyKeeper {
public:
  LocalKeyring(kj::Timer& timer, kj::Own<KeyTree> tree)
      : work(kj::atomicRefcounted<KeyringWork>(kj::mv(tree))), worker(timer, "the keyring") {}

  kj::Promise<void> create(kj::StringPtr id) override {
    return change(KeyChange::Kind::CREATE, kj::str("create ", id), kj::heapString(id));
  }
  kj::Promise<void> destroy(kj::StringPtr id) override {
    return change(KeyChange::Kind::DESTROY, kj::str("destroy ", id), kj::heapString(id));
  }
  kj::Promise<Secret> open(kj::StringPtr id) override {
    co_return co_await worker.run(kj::str("open ", id), KEYRING_CALL_LIMIT,
                                  [work = kj::atomicAddRef(*work), id = kj::heapString(id)]() {
                                    return work->tree->open(id);
                                  });
  }
  kj::Promise<kj::Array<kj::String>> list() override {
    co_return co_await worker.run("list", KEYRING_CALL_LIMIT, [work = kj::atomicAddRef(*work)]() {
      return work->tree->list();
    });
  }

private:
  kj::Own<KeyringWork> work;
  // Ends first.
  WorkerThread worker;

  kj::Promise<void> change(KeyChange::Kind kind, kj::String what, kj::String id) {
    auto wish = std::make_shared<KeyringWork::Wish>(
        KeyringWork::Wish{KeyChange{kind, kj::mv(id), nullptr}});
    auto shared = kj::atomicAddRef(*work);
    shared->add(wish);
    KJ_DEFER(shared->withdraw(wish));
    co_await worker.run(what, KEYRING_CALL_LIMIT, [work = kj::atomicAddRef(*work), wish]() mutable {
      work->carryOut(*wish);
    });
  }
};

}  // namespace

kj::Own<KeyTree> openKeyTree(kj::Own<KeyFiles> files, Protector protector) {
  auto root = kj::heap<FileKeyRoot>(*files, kj::mv(protector));
  return kj::heap<KeyTree>(kj::mv(files), kj::mv(root));
}

kj::Own<KeyKeeper> openLocalKeyring(kj::Timer& timer, kj::StringPtr directory,
                                    ProtectorSetting protector) {
  return openLocalKeyring(timer, kj::heap<DiskKeyFiles>(directory), Protector(kj::mv(protector)));
}

kj::Own<KeyKeeper> openLocalKeyring(kj::Timer& timer, kj::Own<KeyFiles> files,
                                    Protector protector) {
  return kj::heap<LocalKeyring>(timer, openKeyTree(kj::mv(files), kj::mv(protector)));
}

}  // namespace bothy
