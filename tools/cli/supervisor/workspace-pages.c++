#include "supervisor/workspace-pages.h"

namespace bothy {

kj::Promise<kj::Array<WorkspacePage>> listWorkspaces(rpc::Supervisor::Client supervisor,
                                                     const WantedWorkspaces& wanted) {
  kj::Vector<WorkspacePage> pages;
  for (kj::String after;;) {
    auto request = supervisor.listRequest();
    request.setPrefix(wanted.prefix);
    request.setAfter(after);
    auto states = request.initStates(wanted.states.size());
    for (auto i : kj::indices(wanted.states)) states.set(i, wanted.states[i]);
    auto& page = pages.add(co_await request.send());
    if (page.getNext().size() == 0) co_return pages.releaseAsArray();
    after = kj::str(page.getNext());
  }
}

}  // namespace bothy
