#include "control/workspace-facet.h"

#include "control/translation.h"

namespace bothy {

using Lane = AgentLink::Lane;

WorkspaceFacet::WorkspaceFacet(kj::Own<Workspace> workspace, kj::Own<Machine> machine,
                               kj::StringPtr accelerator)
    : workspace(kj::mv(workspace)), machine(kj::mv(machine)), accelerator(accelerator) {}

kj::Promise<void> WorkspaceFacet::info(InfoContext context) {
  fill(context.getResults().initInfo(), *workspace, accelerator);
  return kj::READY_NOW;
}

kj::Promise<void> WorkspaceFacet::terminals(TerminalsContext context) {
  auto agent = co_await machine->agent(Lane::INTERACTIVE);
  context.getResults().setTerminals(agent.terminalsRequest().send().getTerminals());
}

kj::Promise<void> WorkspaceFacet::processes(ProcessesContext context) {
  auto agent = co_await machine->agent(Lane::PROCESS);
  context.getResults().setProcesses(agent.processesRequest().send().getProcesses());
}

kj::Promise<void> WorkspaceFacet::files(FilesContext context) {
  auto agent = co_await machine->agent(Lane::BULK);
  auto request = agent.filesRequest();
  request.setUser(context.getParams().getUser());
  // Waits, so that an unknown user fails this call and not the first one on the result.
  auto response = co_await request.send();
  context.getResults().setFiles(response.getFiles());
}

kj::Promise<void> WorkspaceFacet::system(SystemContext context) {
  auto agent = co_await machine->agent(Lane::INTERACTIVE);
  context.getResults().setSystem(agent.systemRequest().send().getSystem());
}

}  // namespace bothy
