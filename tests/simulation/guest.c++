#include "simulation/guest.h"

namespace bothy {

Guest bornOf(Fate& fate) {
  Guest guest;
  guest.firstWord = fate.between(50 * kj::MILLISECONDS, 900 * kj::MILLISECONDS);
  guest.agentListens = fate.between(900 * kj::MILLISECONDS, 3 * kj::SECONDS);
  guest.powersOff = fate.between(0 * kj::SECONDS, 4 * kj::SECONDS);
  if (fate.strikes(Fault::AGENT_SLOW)) {
    guest.agentListens = fate.between(10 * kj::SECONDS, 150 * kj::SECONDS);
  }
  if (fate.strikes(Fault::AGENT_ABSENT)) guest.agentListens = nullptr;
  if (fate.strikes(Fault::GUEST_SILENT)) {
    guest.firstWord = nullptr;
    guest.agentListens = nullptr;
  }
  if (fate.strikes(Fault::GUEST_PANICS)) {
    guest.panics = fate.between(100 * kj::MILLISECONDS, 5 * kj::SECONDS);
  }
  if (fate.strikes(Fault::GUEST_REBOOTS)) {
    guest.reboots = fate.between(100 * kj::MILLISECONDS, 90 * kj::SECONDS);
  }
  guest.answersHello = !fate.strikes(Fault::AGENT_MUTE);
  guest.acceptsSecret = !fate.strikes(Fault::AGENT_REFUSES_SECRET);
  guest.breaksOff = fate.strikes(Fault::AGENT_BREAKS_OFF);
  if (fate.strikes(Fault::AGENT_OF_ANOTHER_GENERATION)) guest.generation = rpc::GENERATION + 1;
  if (fate.strikes(Fault::POWER_OFF_IGNORED)) guest.powersOff = nullptr;
  return guest;
}

}  // namespace bothy
