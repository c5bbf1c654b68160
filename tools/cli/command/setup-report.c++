#include "command/setup-report.h"

#include "console/failure.h"
#include "wire/escape.h"

namespace bothy {

int reportSetup(Console& console, rpc::WorkspaceInfo::Reader info) {
  auto setup = info.getSetup();
  auto name = escapeGuestText(info.getSpec().getName().asArray());
  if (setup.getFailed().size() > 0) {
    console.note(kj::str("the set-up of ", name,
                         " has failed: ", escapeGuestText(setup.getFailed().asArray()),
                         ": `bothy setup ", name, " --log ", setup.getDone() + 1,
                         "` shows what it has said, `bothy setup ", name, " --retry` tries again"));
    return FAILURE;
  }
  if (info.getState() == rpc::WorkspaceState::RUNNING && setup.getDone() < setup.getSteps()) {
    console.note(kj::str("the set-up of ", name, " goes on, ", setup.getDone(), " of ",
                         setup.getSteps(), " steps are done: `bothy setup ", name, "`"));
  }
  return SUCCESS;
}

}  // namespace bothy
