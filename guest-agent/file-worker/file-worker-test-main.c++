#include <catch2/catch_session.hpp>

#include "file-worker/confinement.h"
#include "file-worker/file-worker-main.h"
#include "files/archive-worker.h"

// The agent's main in what matters here: workers are the same program started again.
int main(int argc, char** argv) {
  if (bothy::isArchiveWorker(argc, argv)) {
    bothy::confineArchiveWorker();
    return bothy::archiveWorkerMain(argc, argv);
  }
  if (bothy::isFileWorker(argc, argv)) return bothy::fileWorkerMain();
  return Catch::Session().run(argc, argv);
}
