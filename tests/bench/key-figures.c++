#include "bench/key-figures.h"

#include <time.h>

#include <kj/async-io.h>
#include <kj/debug.h>

#include <vector>

#include "keys/disk-key-files.h"
#include "keys/local-keyring.h"
#include "tree/test-directory.h"

namespace bothy {
namespace {

constexpr uint MANY_KEYS = 100'000;
constexpr uint FEW_KEYS = 1'000;
constexpr uint CHANGES = 100;
constexpr uint OPENINGS = 5;
constexpr double GOAL_CPU_MILLIS = 5;
constexpr double NANOSECONDS_PER_MILLISECOND = 1e6;

// Of all threads: the keyring works on one of its own.
template <typename Function>
double cpuMilliseconds(Function&& function) {
  auto now = []() {
    struct timespec time;
    KJ_SYSCALL(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time));
    return time.tv_sec * 1000.0 + time.tv_nsec / NANOSECONDS_PER_MILLISECOND;
  };
  auto begin = now();
  function();
  return now() - begin;
}

// A keyring on the disk, of ids as workspaces have them.
class FilledKeyring final {
public:
  FilledKeyring(kj::AsyncIoContext& io, uint count) : io(io) {
    {
      auto tree = openKeyTree(kj::heap<DiskKeyFiles>(path()), Protector(protector()));
      std::vector<KeyChange> changes;
      changes.reserve(count);
      for (uint i = 0; i < count; ++i) {
        changes.push_back({KeyChange::Kind::CREATE, id("old", i), nullptr});
      }
      auto pointers = KJ_MAP(change, changes) {
        return &change;
      };
      tree->apply(pointers);
      KJ_REQUIRE(tree->list().size() == count);
    }
    reopen();
  }

  void reopen() {
    keeper = nullptr;
    keeper = openLocalKeyring(io.provider->getTimer(), path(), protector());
  }
  void create(uint i) { KJ_ASSERT_NONNULL(keeper)->create(id("new", i)).wait(io.waitScope); }
  void destroy(uint i) { KJ_ASSERT_NONNULL(keeper)->destroy(id("old", i)).wait(io.waitScope); }

private:
  kj::AsyncIoContext& io;
  TestDirectory directory;
  kj::Maybe<kj::Own<KeyKeeper>> keeper;

  kj::String path() const { return directory.at("keys"); }
  ProtectorSetting protector() const { return defaultProtector(directory.path); }
  static kj::String id(kj::StringPtr kind, uint i) {
    return kj::str("0123456789abcdef0123456789-", kind, "-", i);
  }
};

}  // namespace

void measureKeys(kj::Vector<Row>& rows) {
  auto io = kj::setupAsyncIo();
  FilledKeyring many(io, MANY_KEYS), few(io, FEW_KEYS);
  auto& createCpu = addRow(rows, "key: creation among 100,000, CPU", "ms", GOAL_CPU_MILLIS);
  auto& destroyCpu = addRow(rows, "key: destruction among 100,000, CPU", "ms", GOAL_CPU_MILLIS);
  auto& createRatio = addRow(rows, "key: creation, CPU, over that among 1,000", "ms");
  auto& destroyRatio = addRow(rows, "key: destruction, CPU, over that among 1,000", "ms");
  auto& createTime = addRow(rows, "key: creation, over that among 1,000", "ms");
  auto& destroyTime = addRow(rows, "key: destruction, over that among 1,000", "ms");
  for (uint i = 0; i < CHANGES; ++i) {
    // Each change is measured twice over: what it takes, and what of it is work.
    auto measure = [&](FilledKeyring& keyring, auto change, kj::Vector<double>& cpu,
                       kj::Vector<double>& time) {
      time.add(milliseconds([&]() { cpu.add(cpuMilliseconds([&]() { (keyring.*change)(i); })); }));
    };
    measure(few, &FilledKeyring::create, createRatio.floor, createTime.floor);
    measure(many, &FilledKeyring::create, createRatio.samples, createTime.samples);
    measure(few, &FilledKeyring::destroy, destroyRatio.floor, destroyTime.floor);
    measure(many, &FilledKeyring::destroy, destroyRatio.samples, destroyTime.samples);
  }
  createCpu.samples.addAll(createRatio.samples);
  destroyCpu.samples.addAll(destroyRatio.samples);
  auto& opening = addRow(rows, "key: opening of 100,000", "ms");
  for (uint i = 0; i < OPENINGS; ++i) opening.samples.add(milliseconds([&]() { many.reopen(); }));
}

}  // namespace bothy
