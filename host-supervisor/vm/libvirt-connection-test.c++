#include "vm/libvirt-connection.h"

#include <kj/async-io.h>
#include <kj/debug.h>
#include <kj/vector.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

// A libvirt whose starts last until the test ends them, and whose other calls are answered at once.
class FakeSession final: public LibvirtSession {
public:
  struct State {
    kj::Vector<kj::String> began;
    kj::Vector<kj::String> mayEnd;
    size_t underWay = 0;
    size_t resumed = 0;
    size_t destroyed = 0;
    bool mayAllEnd = false;

    bool mayItEnd(kj::StringPtr name) const {
      if (mayAllEnd) return true;
      for (auto& candidate : mayEnd) {
        if (candidate == name) return true;
      }
      return false;
    }
  };
  kj::MutexGuarded<State> state;

  bool isAlive() const override { return true; }
  int create(kj::StringPtr xml, const DiskPassphrase&) const override {
    {
      auto s = state.lockExclusive();
      s->began.add(kj::str(xml));
      ++s->underWay;
    }
    state.lockExclusive().wait([&](const State& s) { return s.mayItEnd(xml); });
    auto s = state.lockExclusive();
    --s->underWay;
    return s->began.size();
  }
  void resume(kj::StringPtr) const override { ++state.lockExclusive()->resumed; }
  void pause(kj::StringPtr) const override {}
  void destroy(kj::StringPtr) const override { ++state.lockExclusive()->destroyed; }
  kj::String monitor(kj::StringPtr, kj::StringPtr) const override {
    return kj::str(R"({"return":{}})");
  }
  void save(kj::StringPtr, kj::StringPtr) const override {}
  int restore(kj::StringPtr, kj::StringPtr, kj::StringPtr, const DiskPassphrase&) const override {
    return 0;
  }
  kj::Array<LibvirtDomain> list() const override { return nullptr; }
  kj::Array<LibvirtCpuTime> cpuTimes() const override { return nullptr; }

  void end(kj::StringPtr name) const { state.lockExclusive()->mayEnd.add(kj::str(name)); }
  void endAll() const { state.lockExclusive()->mayAllEnd = true; }
};

struct World {
  kj::AsyncIoContext io = kj::setupAsyncIo();
  kj::WaitScope& scope = io.waitScope;
  kj::TimerImpl clock{kj::origin<kj::TimePoint>()};
  kj::Own<const FakeSession> session = kj::atomicRefcounted<FakeSession>();
  kj::Own<LibvirtConnection> libvirt =
      LibvirtConnection::open(
          clock,
          {{}, {}, KvmNode::HOSTS, kj::Own<const LibvirtSession>(kj::atomicAddRef(*session))})
          .wait(scope);

  ~World() noexcept(false) { session->endAll(); }

  // The fake takes the name for the domain's XML.
  kj::Promise<int> create(kj::StringPtr name) {
    return libvirt->create(name, kj::str(name), DiskPassphrase{kj::str(name), Secret(1)});
  }
  void awaitBegun(size_t count) {
    scope.poll();
    session->state.lockExclusive().wait(
        [count](const FakeSession::State& s) { return s.began.size() >= count; });
  }
  void pass(kj::Duration time) {
    scope.poll();
    clock.advanceTo(clock.now() + time);
    scope.poll();
  }
};

TEST_CASE(
    "R20 of a hundred starts at once none fails, though they take longer together than one may") {
  World w;
  kj::Vector<kj::String> names;
  kj::Vector<kj::Promise<int>> starts;
  for (int i = 0; i < 100; i++) names.add(kj::str("m", i));
  for (auto& name : names) starts.add(w.create(name));
  const size_t threads = LibvirtLimits().threads;
  for (size_t i = 0; i < names.size(); i++) {
    w.awaitBegun(kj::min(i + threads, names.size()));
    w.pass(1 * kj::SECONDS);
    w.session->end(names[i]);
    starts[i].wait(w.scope);
    w.libvirt->resume(names[i]).wait(w.scope);
  }
  CHECK(w.clock.now() - kj::origin<kj::TimePoint>() > LibvirtLimits().create);
  CHECK(w.session->state.lockExclusive()->resumed == 100);
}

TEST_CASE(
    "R20 a start that hangs holds up neither other starts nor other calls, its own end included") {
  World w;
  auto hanging = w.create("hung");
  w.awaitBegun(1);
  for (int i = 0; i < 20; i++) {
    auto name = kj::str("m", i);
    w.session->end(name);
    w.create(name).wait(w.scope);
    w.libvirt->monitor(name, kj::str("{}")).wait(w.scope);
    w.libvirt->destroy(name).wait(w.scope);
  }
  CHECK(w.libvirt->list().wait(w.scope).size() == 0);
  CHECK_FALSE(hanging.poll(w.scope));
  auto ending = w.libvirt->destroy("hung");
  w.session->state.lockExclusive().wait(
      [](const FakeSession::State& s) { return s.destroyed == 21; });
  // libvirt's end of a machine frees its start.
  w.session->end("hung");
  ending.wait(w.scope);
  hanging.wait(w.scope);
}

TEST_CASE("P28 a start that waits for its turn and is dropped is ended at once, and never begins") {
  World w;
  const size_t threads = LibvirtLimits().threads;
  kj::Vector<kj::Promise<int>> starts;
  for (size_t i = 0; i < threads; i++) starts.add(w.create(kj::str("m", i)));
  w.awaitBegun(threads);
  {
    auto dropped = w.create("dropped");
    w.scope.poll();
  }
  w.libvirt->destroy("dropped").wait(w.scope);
  w.session->endAll();
  for (auto& start : starts) start.wait(w.scope);
  w.create("last").wait(w.scope);
  CHECK(w.session->state.lockExclusive()->began.size() == threads + 1);
}

}  // namespace
}  // namespace bothy
