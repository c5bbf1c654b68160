// bothyd that dials whenever it is told to end.  The environment's BOTHY_DIAL says how the dial goes on: it "ends" soon, of
// which the log tells, or it "hangs".  The disk of consoles has all of them soon, of which the log tells, too; if BOTHY_CONSOLES is "hang"
// it never does.  The log also tells if it is taken apart.

#include <stdlib.h>

#include <kj/debug.h>
#include <kj/vector.h>

#include "daemon/daemon.h"

namespace bothy {
namespace {

// Less than bothyd waits, and more than a turn of its loop.
constexpr kj::Duration DIAL = 50 * kj::MILLISECONDS;

class DiallingDriver final: public VmDriver {
public:
  DiallingDriver(VmDriver& inner, kj::Timer& timer) : inner(inner), timer(timer) {}
  ~DiallingDriver() noexcept(false) { KJ_LOG(ERROR, "bothyd is taken apart"); }
  KJ_DISALLOW_COPY_AND_MOVE(DiallingDriver);

  const HostAbilities& abilities() override { return inner.abilities(); }
  void setEvents(Events& events) override { inner.setEvents(events); }
  kj::Promise<kj::Own<RunningVm>> start(VmSpec spec, kj::Maybe<TurnListener&> listener) override {
    return inner.start(kj::mv(spec), listener);
  }
  kj::Promise<kj::Own<RunningVm>> restore(VmSpec spec, MemoryFile file,
                                          kj::Maybe<TurnListener&> listener) override {
    return inner.restore(kj::mv(spec), kj::mv(file), listener);
  }
  kj::Promise<kj::Maybe<kj::Own<RunningVm>>> adopt(VmSpec spec) override {
    return inner.adopt(kj::mv(spec));
  }
  kj::Promise<void> remove(kj::StringPtr name, kj::Maybe<uint32_t> user) override {
    return inner.remove(name, user);
  }
  kj::Promise<kj::Array<MachineUser>> users() override { return inner.users(); }
  kj::Promise<kj::Array<VmConsumption>> consumption() override { return inner.consumption(); }

  kj::Promise<void> whenNotDialling() override {
    auto value = getenv("BOTHY_DIAL");
    auto dial = value == nullptr ? ""_kj : kj::StringPtr(value);
    KJ_LOG(INFO, "a dial is under way", dial);
    if (dial == "hangs") return kj::NEVER_DONE;
    KJ_REQUIRE(dial == "ends", "BOTHY_DIAL is ends or hangs", dial);
    return timer.afterDelay(DIAL).then([]() { KJ_LOG(INFO, "the dial has ended"); });
  }

  kj::Promise<void> whenConsolesWritten() override {
    auto value = getenv("BOTHY_CONSOLES");
    if (value != nullptr && kj::StringPtr(value) == "hang") return kj::NEVER_DONE;
    return timer.afterDelay(DIAL).then([]() { KJ_LOG(INFO, "the consoles are written"); });
  }

private:
  VmDriver& inner;
  kj::Timer& timer;
};

}  // namespace
}  // namespace bothy

int main(int argc, char* argv[]) {
  kj::Vector<kj::StringPtr> arguments;
  for (int i = 1; i < argc; i++) arguments.add(argv[i]);
  kj::Maybe<kj::Own<bothy::DiallingDriver>> driver;
  return bothy::runDaemon(arguments, [&](bothy::World world) {
    auto& dialling = *driver.emplace(kj::heap<bothy::DiallingDriver>(world.driver, world.timer));
    return bothy::World{world.store, world.events, world.keys,     world.volumes,
                        dialling,    world.images, world.files,    world.randomness,
                        world.timer, world.clock,  world.deadlines};
  });
}
