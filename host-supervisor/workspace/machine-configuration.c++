#include "workspace/machine-configuration.h"

#include <kj/debug.h>

#include "loop/failure-of.h"
#include "schema/limits.capnp.h"

namespace bothy {
namespace {

// A control lane may be lost meanwhile.
constexpr kj::Duration RETRY_PAUSE = 100 * kj::MILLISECONDS;

kj::Promise<void> configureOnce(Machine& machine, rpc::Configuration::Reader configuration) {
  if (co_await machine.generation() < rpc::CONFIGURED_AGENTS) co_return;
  auto agent = co_await machine.control();
  auto request = agent.configureRequest();
  request.setConfiguration(configuration);
  co_await request.send().ignoreResult();
}

}  // namespace

kj::Promise<kj::Own<StoredConfiguration>> readConfiguration(const World& world, kj::StringPtr id) {
  auto content =
      co_await within(world.timer, world.deadlines.disk, "the configuration could not be read",
                      world.store.configuration(id));
  co_return kj::heap<StoredConfiguration>(
      KJ_REQUIRE_NONNULL(content, "the database has no configuration of this workspace"));
}

kj::Promise<void> configureMachine(const World& world, kj::StringPtr id, Machine& machine) {
  auto configuration = co_await readConfiguration(world, id);
  for (;;) {
    auto failure =
        co_await failureOf([&]() { return configureOnce(machine, configuration->get()); });
    KJ_IF_MAYBE (e, failure) {
      if (e->getType() != kj::Exception::Type::DISCONNECTED) kj::throwFatalException(kj::mv(*e));
    } else {
      co_return;
    }
    co_await world.timer.afterDelay(RETRY_PAUSE);
  }
}

}  // namespace bothy
