// What tests of programs that outlive their connection have in common.
#pragma once

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "process/test-actions.h"
#include "process/test-world.h"

namespace bothy {

// A client that can lose its connection, and remembers what a client remembers.
struct KeptExecutionWorld: public TestWorld {
  explicit KeptExecutionWorld(kj::Maybe<kj::Timer&> timer = nullptr)
      : TestWorld(Trees::CGROUPS_IF_POSSIBLE, timer) {}

  rpc::Processes::Client facet = newProcessesFacet(*programs);
  rpc::Processes::Client processes = connect<rpc::Processes>(facet);
  Collected out;
  Collected err;
  uint64_t id = 0;
  kj::Maybe<rpc::Process::Client> process;
  kj::Maybe<rpc::ByteSink::Client> input;

  void start(kj::StringPtr script) {
    auto request = processes.execRequest();
    setShell(request.initCommand(), script);
    request.setStdout(collectInto(out));
    request.setStderr(collectInto(err));
    request.setKeep(true);
    auto response = request.send().wait(scope);
    REQUIRE(response.getOutcome().isStarted());
    id = response.getId();
    process = response.getProcess();
    input = response.getStdin();
  }

  // Everything that came over the connection is gone.
  void lose() {
    process = nullptr;
    input = nullptr;
    disconnect();
    processes = connect<rpc::Processes>(facet);
  }

  auto reattachRequest() {
    auto request = processes.reattachRequest();
    request.setId(id);
    request.setStdout(collectInto(out));
    request.setStdoutFrom(out.bytes.size());
    request.setStderr(collectInto(err));
    request.setStderrFrom(err.bytes.size());
    return request;
  }

  // How much of the input the program had.
  uint64_t reattach() {
    out.ends = err.ends = 0;
    auto response = reattachRequest().send().wait(scope);
    REQUIRE(response.getOutcome().isAttached());
    process = response.getProcess();
    input = response.getStdin();
    return response.getStdinReceived();
  }

  bool isAbsent() {
    auto response = reattachRequest().send().wait(scope);
    return response.getOutcome().isAbsent();
  }

  int exitCode() {
    auto response = KJ_ASSERT_NONNULL(process).waitRequest().send().wait(scope);
    return response.getStatus().isExited() ? response.getStatus().getExited() : -1;
  }

  void type(kj::StringPtr text) {
    auto request = KJ_ASSERT_NONNULL(input).writeRequest();
    request.setData(text.asBytes());
    request.send().wait(scope);
  }

  void await(size_t bytes) { TestWorld::await(out, bytes); }
};

}  // namespace bothy
