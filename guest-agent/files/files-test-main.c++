#include <catch2/catch_session.hpp>

#include "files/archive-worker.h"

// The agent's main in what matters here: archives are handled by the same program started again.
int main(int argc, char** argv) {
  if (bothy::isArchiveWorker(argc, argv)) return bothy::archiveWorkerMain(argc, argv);
  return Catch::Session().run(argc, argv);
}
