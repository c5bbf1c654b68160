#include "rpc/agent-facet.h"

namespace bothy {
namespace {

class AgentFacet final: public rpc::Agent::Server {
public:
  explicit AgentFacet(Rooms& rooms) : rooms(rooms) {}

  kj::Promise<void> terminals(TerminalsContext context) override {
    context.getResults().setTerminals(rooms.terminals);
    return kj::READY_NOW;
  }

  kj::Promise<void> processes(ProcessesContext context) override {
    context.getResults().setProcesses(rooms.processes);
    return kj::READY_NOW;
  }

  kj::Promise<void> files(FilesContext context) override {
    context.getResults().setFiles(rooms.files(context.getParams().getUser()));
    return kj::READY_NOW;
  }

  kj::Promise<void> system(SystemContext context) override {
    context.getResults().setSystem(rooms.system);
    return kj::READY_NOW;
  }

  kj::Promise<void> ping(PingContext context) override { return kj::READY_NOW; }

private:
  Rooms& rooms;
};

}  // namespace

rpc::Agent::Client newAgentFacet(Rooms& rooms) {
  return kj::heap<AgentFacet>(rooms);
}

}  // namespace bothy
