#include "metering/metered-host.h"

namespace bothy {
namespace {

MeteredWorkspace meteredOf(const WorkspaceView& view) {
  return {kj::str(view.id), kj::str(view.name), view.state,
          view.memoryMib,   view.diskMib,       kj::str(view.user)};
}

}  // namespace

kj::Maybe<MeteredWorkspace> RegisteredHost::find(kj::StringPtr id) {
  return manager.viewById(id).map([](const WorkspaceView& view) { return meteredOf(view); });
}

kj::Array<MeteredWorkspace> RegisteredHost::page(kj::StringPtr after) {
  ListQuery query;
  query.after = after;
  auto page = manager.list(query);
  return KJ_MAP(view, page.workspaces) {
    return meteredOf(view);
  };
}

}  // namespace bothy
