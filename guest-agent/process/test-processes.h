#pragma once

#include <catch2/catch_test_macros.hpp>

#include "process/test-actions.h"
#include "process/test-world.h"

namespace bothy {

// Programs, as a client of Processes starts them.
struct ProcessesWorld: public TestWorld {
  explicit ProcessesWorld(Trees trees = Trees::CGROUPS_IF_POSSIBLE) : TestWorld(trees) {}
  rpc::Processes::Client processes = connect<rpc::Processes>(newProcessesFacet(*programs));
  Collected out;
  Collected err;

  using Request = capnp::Request<rpc::Processes::ExecParams, rpc::Processes::ExecResults>;
  Request request(kj::StringPtr script) {
    auto result = processes.execRequest();
    out.restart();
    err.restart();
    setShell(result.initCommand(), script);
    result.setStdout(collectInto(out));
    result.setStderr(collectInto(err));
    return result;
  }

  struct Result {
    ExitStatus status;
    uint detached;
  };
  Result wait(rpc::Process::Client process) {
    auto response = process.waitRequest().send().wait(scope);
    auto status = response.getStatus();
    Result result = {{}, response.getDetached()};
    if (status.isExited()) result.status = {ExitStatus::Kind::EXITED, status.getExited()};
    if (status.isKilled()) result.status = {ExitStatus::Kind::KILLED, status.getKilled()};
    return result;
  }
  rpc::Process::Client start(Request request) {
    auto outcome = request.send().wait(scope);
    REQUIRE(outcome.getOutcome().isStarted());
    return outcome.getProcess();
  }
  Result run(Request request) { return wait(start(kj::mv(request))); }
  Result run(kj::StringPtr script) { return run(request(script)); }
  rpc::StartFailure::Reason failure(Request request) {
    auto response = request.send().wait(scope);
    REQUIRE(response.getOutcome().isFailed());
    return response.getOutcome().getFailed().getReason();
  }
};

inline ExitStatus exited(uint8_t code) {
  return {ExitStatus::Kind::EXITED, code};
}
inline ExitStatus killed(uint8_t number) {
  return {ExitStatus::Kind::KILLED, number};
}

}  // namespace bothy
