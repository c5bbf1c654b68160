#include "doctor/host-examiner.h"

#include <kj/vector.h>

namespace bothy {

HostExaminer::HostExaminer(const HostFacts& facts, ExaminedPlaces places,
                           kj::Function<kj::Promise<Machinery>()> look)
    : facts(facts), places(kj::mv(places)), look(kj::mv(look)) {}

kj::Promise<kj::Own<Examination>> HostExaminer::examine() {
  if (!isUnderWay) {
    isUnderWay = true;
    // In a turn of its own: it may be done at once, and `current` must be there before that.
    current = kj::evalLater([this]() { return begin(); }).fork();
  }
  return current.addBranch();
}

kj::Promise<kj::Own<Examination>> HostExaminer::begin() {
  KJ_DEFER(isUnderWay = false);
  auto machinery = co_await look();
  kj::Vector<Finding> findings;
  for (auto& finding : examineMachinery(facts, machinery)) findings.add(kj::mv(finding));
  for (auto& finding : examineHost(facts, places)) findings.add(kj::mv(finding));
  co_return kj::refcounted<Examination>(findings.releaseAsArray());
}

}  // namespace bothy
