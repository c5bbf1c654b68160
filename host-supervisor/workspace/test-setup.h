#pragma once

#include <kj/debug.h>
#include <kj/vector.h>

#include "schema/agent.capnp.h"
#include "wire/waiters.h"

namespace bothy {

// What the agents of a test's machines are configured with, and what they say of the steps.
struct TestSetup {
  // Ids of steps and variables, one entry a call.
  kj::Vector<kj::String> configured;
  kj::uint retries = 0;
  kj::uint questions = 0;

  using Fill = kj::Function<void(rpc::SetupStatus::Builder)>;
  // It is so from now on.
  void now(uint32_t done, Fill fill) {
    revision++;
    stepsDone = done;
    status = kj::mv(fill);
    changed.wakeAll();
  }
  void runs(uint32_t done, kj::StringPtr line) {
    now(done, [line = kj::str(line)](auto status) { status.setRunning(line); });
  }
  void completes(uint32_t done) {
    now(done, [](auto status) { status.setComplete(); });
  }
  void exits(uint32_t done, uint8_t code) {
    now(done, [code](auto status) { status.initFailed().setExited(code); });
  }

  void configure(rpc::Configuration::Reader configuration) {
    auto text = kj::str(configuration.getSetup().getSteps().size(), " steps");
    for (auto variable : configuration.getEnvironment()) {
      text = kj::str(text, ' ', variable.getName(), '=', variable.getValue());
    }
    configured.add(kj::mv(text));
  }
  template <typename Context>
  kj::Promise<void> tell(uint64_t after, Context context) {
    questions++;
    while (revision <= after) co_await changed.wait();
    auto told = context.getResults().initStatus();
    told.setRevision(revision);
    told.setDone(stepsDone);
    status(told);
  }

private:
  uint64_t revision = 0;
  uint32_t stepsDone = 0;
  Fill status = [](rpc::SetupStatus::Builder status) { status.setNothing(); };
  Waiters changed;
};

}  // namespace bothy
