#pragma once

#include "schema/workspace.capnp.h"
#include "workspace/workspace.h"

namespace bothy {

// A running workspace for a client.  Capabilities of the guest pass through as they are, each over the
// lane that suits it; the texts of their exceptions are replaced where they enter (agent/).
class WorkspaceFacet final: public rpc::Workspace::Server {
public:
  WorkspaceFacet(kj::Own<Workspace> workspace, kj::Own<Machine> machine, kj::StringPtr accelerator);

private:
  kj::Own<Workspace> workspace;
  kj::Own<Machine> machine;
  kj::StringPtr accelerator;

  kj::Promise<void> info(InfoContext context) override;
  kj::Promise<void> terminals(TerminalsContext context) override;
  kj::Promise<void> processes(ProcessesContext context) override;
  kj::Promise<void> files(FilesContext context) override;
  kj::Promise<void> system(SystemContext context) override;
};

}  // namespace bothy
