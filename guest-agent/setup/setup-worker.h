#pragma once

#include <kj/string.h>
#include <stdint.h>

namespace bothy {

// What set-up does to the workspace's disk is done by a process of its own, which runs the agent's program again as root: a disk that hangs is that
// process's affair.  main() begins with
//
//     if (isSetupWorker(argc, argv)) return setupWorkerMain(argv);
//
// Its arguments are the directories of the journal and of the logs.
constexpr kj::StringPtr SETUP_WORKER = "--setup-worker"_kj;
bool isSetupWorker(int argc, const char* const* argv);

// Serves the socket at descriptor 0 until its end.  SIGTERM does not end it.
int setupWorkerMain(const char* const* argv);

// What is said over that socket: a header, then so many bytes.  Each order but OUTPUT is answered, in their order.
struct SetupFrame {
  enum Kind : uint32_t {
    // Orders.
    PLAN,    // of these steps, a SetupPlan as a message, it is asked how far they are
    BEGIN,   // `step` begins, which is to be noted, and its log does
    OUTPUT,  // for that log
    PLACE,   // the file of `step`; the bytes are its owner and group, as two numbers of 32 bits
    DONE,    // `step` is, which is to be noted
    FAIL,    // `step` has, which is to be noted: the bytes are StepFailure::line()
    RETRY,   // `step` is to be done again, as if it had never begun, which is to be noted
    // Answers.
    DID,  // of PLAN: `step` is the next, and the bytes, if there are any, tell how that has failed
    REFUSED,    // the bytes tell why, for people
    TOO_OFTEN,  // of BEGIN: rpc::MAX_SETUP_BEGINS times before
  };
  uint32_t kind;
  uint32_t step;
  uint32_t bytes;
};

}  // namespace bothy
