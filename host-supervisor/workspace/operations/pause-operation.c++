#include "workspace/operations/pause-operation.h"

namespace bothy {
namespace {

constexpr Step STEPS[] = {
    {"lanes"_kj, Step::OnFailure::END, Step::Storing::FIRST,
     "the machine could not be taken over"_kj},
    {"freeze"_kj, Step::OnFailure::END, Step::Storing::FIRST,
     "the machine's processors could not be stopped"_kj},
};
enum { LANES, FREEZE };

}  // namespace

WorkspaceJournal::Rows PauseOperation::beginning(const Site& site, Cause cause) {
  return site.journal.beginning(OperationKind::PAUSE, STEPS[LANES].name, parametersOf(cause));
}

PauseOperation::PauseOperation(const Site& site, kj::StringPtr parameters)
    : HaltOperation(site, OperationKind::PAUSE, causeOf(parameters)) {}

kj::ArrayPtr<const Step> PauseOperation::steps() const {
  return STEPS;
}

kj::Maybe<kj::Duration> PauseOperation::limitOf(size_t step) const {
  auto& deadlines = site.world.deadlines;
  return step == LANES ? deadlines.startVm : deadlines.pauseVm;
}

kj::Promise<void> PauseOperation::run(size_t step) {
  auto paused = co_await machine();
  co_await unlessEnded(*paused, step == LANES ? paused->closeLanes() : paused->pause());
}

kj::String PauseOperation::detail() {
  return kj::str("its processors stand still, and its memory is kept");
}

kj::String PauseOperation::detailOfFailure(kj::StringPtr why) {
  return kj::str("it could not be paused: ", why);
}

}  // namespace bothy
