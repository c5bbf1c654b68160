#include <catch2/catch_session.hpp>

#include "setup/setup-worker.h"

// The agent's main in what matters here: the journal is kept by the same program started again.
int main(int argc, char** argv) {
  if (bothy::isSetupWorker(argc, argv)) return bothy::setupWorkerMain(argv);
  return Catch::Session().run(argc, argv);
}
