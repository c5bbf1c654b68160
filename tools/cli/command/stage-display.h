#pragma once

#include <kj/timer.h>

#include "console/progress-line.h"
#include "schema/supervisor.capnp.h"

namespace bothy {

// Shows how far a workspace has come on its way to running: for a person a line that moves, else a line for
// each stage, with JSON nothing.
class StageDisplay final {
public:
  StageDisplay(Console& console, kj::Timer& timer);

  // To hand to bothyd.  This object must outlive the connection it goes over.
  rpc::Progress::Client progress();

  // The last stage went well: its line stays.
  void finish();

private:
  class Reporter;
  struct Running {
    rpc::Stage stage;
    kj::TimePoint since;
    // Of WAITING: how many start first.
    uint32_t before;
    // Of SETTING_UP.
    uint32_t step = 0;
    kj::String name = nullptr;
    kj::String line = nullptr;
  };

  void begin(rpc::Stage stage, uint32_t before);
  void setUp(rpc::Progress::SetupStage::Reader setup);
  static kj::String describe(const Running& running);
  kj::String render(kj::uint frame);

  Console& console;
  kj::Timer& timer;
  kj::TimePoint start;
  kj::Maybe<Running> running;
  kj::Own<ProgressLine> line;
};

// Throws: where the start failed and why, the console's end printed before.  `whatNext`: what to do; of a workspace of that name, if it is not given.
[[noreturn]] void failStart(Console& console, kj::StringPtr name,
                            rpc::Supervisor::StartFailure::Reader failed,
                            kj::StringPtr whatNext = nullptr);

}  // namespace bothy
