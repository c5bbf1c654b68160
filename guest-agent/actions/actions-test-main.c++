#include <catch2/catch_session.hpp>

#include "actions/action-writer.h"

// The agent's main in what matters here: lines are written by the same program started again.
int main(int argc, char** argv) {
  if (bothy::isActionWriter(argc, argv)) return bothy::actionWriterMain(argv);
  return Catch::Session().run(argc, argv);
}
