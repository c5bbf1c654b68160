#include "control/session-translation.h"

namespace bothy {
namespace {

using Verb = rpc::Verb;
using Terminals = rpc::SessionRights::TerminalAccess;
using Files = rpc::SessionRights::FileRight;

}  // namespace

// The numbers of both are the same.
static_assert(static_cast<int>(SessionEnd::EXPIRED) == static_cast<int>(rpc::SessionEnd::EXPIRED));
static_assert(static_cast<int>(SessionEnd::REVOKED) == static_cast<int>(rpc::SessionEnd::REVOKED));
static_assert(static_cast<int>(SessionEnd::WORKSPACE_DELETED) ==
              static_cast<int>(rpc::SessionEnd::WORKSPACE_DELETED));

rpc::SessionEnd toRpc(SessionEnd why) {
  return static_cast<rpc::SessionEnd>(why);
}

// What this bothyd does not know is no right.
SessionRights rightsOf(rpc::SessionRights::Reader from) {
  SessionRights rights;
  if (from.getTerminals() == Terminals::VIEW) rights.verbs.add(Verb::VIEW_TERMINALS);
  if (from.getTerminals() == Terminals::USE) rights.verbs.add(Verb::TERMINALS);
  if (from.getExec()) rights.verbs.add(Verb::PROGRAMS);
  if (from.getPower()) rights.verbs.add(Verb::MACHINE);
  rights.beneath = kj::heapArray<const kj::byte>(from.getBeneath());
  const bool isBeneath = rights.beneath.size() > 0;
  const auto files = from.getFiles();
  if (files == Files::READ || files == Files::WRITE) {
    rights.verbs.add(isBeneath ? Verb::READ_BENEATH : Verb::READ_FILES);
  }
  if (files == Files::WRITE) rights.verbs.add(isBeneath ? Verb::WRITE_BENEATH : Verb::WRITE_FILES);
  return rights;
}

void fill(rpc::SessionRights::Builder rights, const SessionRights& from) {
  auto& verbs = from.verbs;
  rights.setTerminals(verbs.has(Verb::TERMINALS)        ? Terminals::USE
                      : verbs.has(Verb::VIEW_TERMINALS) ? Terminals::VIEW
                                                        : Terminals::NONE);
  rights.setExec(verbs.has(Verb::PROGRAMS));
  rights.setPower(verbs.has(Verb::MACHINE));
  if (verbs.has(Verb::WRITE_FILES) || verbs.has(Verb::WRITE_BENEATH)) {
    rights.setFiles(Files::WRITE);
  } else if (verbs.has(Verb::READ_FILES) || verbs.has(Verb::READ_BENEATH)) {
    rights.setFiles(Files::READ);
  }
  if (from.beneath.size() > 0) rights.setBeneath(from.beneath);
}

void fill(rpc::SessionInfo::Builder info, const Session& from, WorkspaceManager& manager) {
  auto& row = from.row();
  info.setId(row.id);
  KJ_IF_MAYBE (workspace, manager.viewById(row.workspaceId)) info.setWorkspace(workspace->name);
  info.setWorkspaceId(row.workspaceId);
  fill(info.initRights(), from.rights);
  info.setLabel(row.label);
  info.setActor(row.actor);
  info.setCreatedNanos(row.createdNanos);
  info.setExpiresNanos(row.expiresNanos);
  info.setLastUsedNanos(row.lastUsedNanos);
  info.setEnded(toRpc(from.end()));
}

}  // namespace bothy
