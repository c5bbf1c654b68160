#include <catch2/catch_session.hpp>

#include "files/archive-worker.h"
#include "files/background-removal.h"

// The agent's main in what matters here: archives and removals are handled by the same program started again.
int main(int argc, char** argv) {
  if (bothy::isArchiveWorker(argc, argv)) return bothy::archiveWorkerMain(argc, argv);
  if (bothy::isRemovalWorker(argc, argv)) return bothy::removalWorkerMain(argv);
  return Catch::Session().run(argc, argv);
}
