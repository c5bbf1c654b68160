#include "supervisor/workspace-pages.h"

#include <kj/debug.h>

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
    auto labels = request.initLabels(wanted.labels.size());
    for (auto i : kj::indices(wanted.labels)) {
      const auto equals = KJ_ASSERT_NONNULL(wanted.labels[i].findFirst('='));
      labels[i].setKey(kj::str(wanted.labels[i].slice(0, equals)));
      labels[i].setValue(wanted.labels[i].slice(equals + 1));
    }
    auto& page = pages.add(co_await request.send());
    if (page.getNext().size() == 0) co_return pages.releaseAsArray();
    after = kj::str(page.getNext());
  }
}

}  // namespace bothy
