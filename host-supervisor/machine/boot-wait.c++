#include "machine/boot-wait.h"

#include <kj/debug.h>

#include "agent/guest-text.h"

namespace bothy {

kj::Promise<kj::String> BootWait::agent() {
  if (slot.current() == nullptr) co_await adoption();
  auto& machine = KJ_ASSERT_NONNULL(slot.current());
  co_await answer(machine);
  co_return co_await version(machine);
}

kj::Promise<void> BootWait::adoption() {
  fault = StartFault::VMM_EXITED;
  auto until = world.timer.now() + limit;
  for (auto pauses = world.pauses();;) {
    co_await pauses.next();
    auto adoption = co_await slot.tryToAdopt();
    KJ_IF_MAYBE (e, adoption.failure) {
      if (world.timer.now() >= until) kj::throwFatalException(kj::mv(*e));
    } else {
      if (adoption.isThere) co_return;
      kj::throwFatalException(KJ_EXCEPTION(FAILED, "the machine ended before its agent answered"));
    }
  }
}

kj::Promise<void> BootWait::answer(Machine& machine) {
  fault = StartFault::NO_HELLO;
  auto end = machine.onEnd().then([this](VmEnd end) -> kj::Promise<void> {
    auto failure = failureOfBoot(end, consoleEnd());
    fault = failure.fault;
    return KJ_EXCEPTION(FAILED, kj::str(failure.message));
  });
  auto firstWord = limit / 2;
  auto silence =
      world.timer.afterDelay(firstWord).then([this, &machine, firstWord]() -> kj::Promise<void> {
        if (consoleEnd().size() > 0 || !machine.isConsoleKnown()) return kj::NEVER_DONE;
        fault = StartFault::KERNEL_SILENT;
        return KJ_EXCEPTION(
            OVERLOADED, kj::str("nothing came from the machine's kernel within ",
                                firstWord / kj::SECONDS, " s: is it one, and for this processor?"));
      });
  auto ready = machine.ready().catch_([this](kj::Exception&& e) -> kj::Promise<void> {
    if (e.getType() == kj::Exception::Type::UNIMPLEMENTED) fault = StartFault::GENERATION;
    return kj::mv(e);
  });
  auto answer = within(world.timer, limit, "the machine's agent did not answer",
                       ready.exclusiveJoin(kj::mv(end)).exclusiveJoin(kj::mv(silence)));
  co_await answer.catch_([this, &machine](kj::Exception&& e) -> kj::Promise<void> {
    if (!machine.isStalled()) return kj::mv(e);
    fault = StartFault::DISK;
    return KJ_EXCEPTION(OVERLOADED, "the host's disk is full: the machine stood still");
  });
}

// For people: an agent that does not tell it is an agent all the same.
kj::Promise<kj::String> BootWait::version(Machine& machine) {
  auto asked =
      machine.control()
          .then([](rpc::AgentControl::Client agent) { return agent.reportRequest().send(); })
          .then([](auto&& response) {
            return versionOfGuest(response.getReport().getAgentVersion());
          });
  return within(world.timer, HELLO_LIMIT, "the agent did not report", kj::mv(asked))
      .catch_([this](kj::Exception&& e) {
        KJ_LOG(WARNING, "the agent does not report its boot", workspace, e.getDescription());
        return kj::String();
      });
}

}  // namespace bothy
