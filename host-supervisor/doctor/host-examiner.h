#pragma once

#include <kj/function.h>

#include "doctor/examination.h"
#include "doctor/examiner.h"

namespace bothy {

// Examines this host.  Who asks while an examination is under way joins it, so that no number of callers
// makes more than one program run.
class HostExaminer final: public Examiner {
public:
  // `facts` must outlive it.  `look` finds the machinery, afresh each time.
  HostExaminer(const HostFacts& facts, ExaminedPlaces places,
               kj::Function<kj::Promise<Machinery>()> look);

  kj::Promise<kj::Own<Examination>> examine() override;

private:
  const HostFacts& facts;
  ExaminedPlaces places;
  kj::Function<kj::Promise<Machinery>()> look;

  bool isUnderWay = false;
  kj::ForkedPromise<kj::Own<Examination>> current = nullptr;

  kj::Promise<kj::Own<Examination>> begin();
};

}  // namespace bothy
