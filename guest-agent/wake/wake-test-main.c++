#include <catch2/catch_session.hpp>

#include "wake/wake-service.h"

// The agent's main in what matters here: the service is the same program started again.
int main(int argc, char** argv) {
  if (bothy::isWakeService(argc, argv)) return bothy::wakeServiceMain();
  return Catch::Session().run(argc, argv);
}
