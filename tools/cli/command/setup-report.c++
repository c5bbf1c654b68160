#include "command/setup-report.h"

#include "console/failure.h"
#include "supervisor/names.h"
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

int reportStart(Console& console, rpc::WorkspaceInfo::Reader info, kj::StringPtr text) {
  if (info.getState() == rpc::WorkspaceState::RUNNING) {
    if (!console.wantsJson()) console.note(text);
    return reportSetup(console, info);
  }
  auto name = escapeGuestText(info.getSpec().getName().asArray());
  console.note(kj::str(name, " has run, and is ", nameOf(info.getState()), " now: `bothy events ",
                       name, "` shows why, `bothy start ", name, "` starts it again"));
  reportSetup(console, info);
  return FAILURE;
}

}  // namespace bothy
