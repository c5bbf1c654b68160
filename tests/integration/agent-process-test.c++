#include <kj/debug.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

#include "schema/limits.capnp.h"
#include "support/agent-process.h"
#include "wire/byte-sink.h"

namespace bothy {
namespace {

struct Fixture {
  kj::AsyncIoContext io = kj::setupAsyncIo();
  kj::WaitScope& scope = io.waitScope;
  AgentProcess process{io};
};

// Keeps what it gets.
class Collector final: public rpc::ByteSink::Server {
public:
  Collector(kj::Vector<char>& bytes, uint& ends) : bytes(bytes), ends(ends) {}
  kj::Promise<void> write(WriteContext context) override {
    bytes.addAll(context.getParams().getData().asChars());
    return kj::READY_NOW;
  }
  kj::Promise<void> end(EndContext) override {
    ++ends;
    return kj::READY_NOW;
  }

private:
  kj::Vector<char>& bytes;
  uint& ends;
};

struct Output {
  kj::Vector<char> bytes;
  uint ends = 0;
  rpc::ByteSink::Client sink() { return kj::heap<Collector>(bytes, ends); }
  kj::String text() { return kj::heapString(bytes.asPtr()); }
};

TEST_CASE("the agent answers whoever knows its secret") {
  Fixture f;
  auto lane = f.process.enter(rpc::Purpose::CONTROL);
  auto control = lane->bootstrap().castAs<rpc::AgentControl>();
  control.pingRequest().send().wait(f.scope);
  auto response = control.reportRequest().send().wait(f.scope);
  CHECK(response.getReport().getAgentVersion().size() > 0);
  CHECK(response.getReport().getDataDisk().isAbsent());
}

TEST_CASE("S25 a wrong secret is the last thing said on a connection, and on no other") {
  Fixture f;
  auto good = f.process.enter(rpc::Purpose::CONTROL);
  auto wrong = kj::heapArray<kj::byte>(f.process.secret());
  wrong[31] ^= 1;
  auto lane = greet(f.scope, f.io.provider->getTimer(), f.process.dialRaw(), wrong,
                    wholeGrant(rpc::Purpose::CONTROL));
  auto gone = lane->onDisconnect();
  CHECK(lane->answer().wait(f.scope).get<LaneRefused>().why == rpc::Refusal::WRONG_SECRET);
  gone.wait(f.scope);
  good->bootstrap().castAs<rpc::AgentControl>().pingRequest().send().wait(f.scope);
}

TEST_CASE("a caller of a generation that is too old is told so and closed") {
  Fixture f;
  auto lane = greet(f.scope, f.io.provider->getTimer(), f.process.dialRaw(), f.process.secret(),
                    wholeGrant(rpc::Purpose::CONTROL), 0);
  auto gone = lane->onDisconnect();
  CHECK(lane->answer().wait(f.scope).get<LaneRefused>().why == rpc::Refusal::GENERATION_TOO_OLD);
  gone.wait(f.scope);
}

TEST_CASE("S25 a connection without a hello is closed without a byte") {
  Fixture f;
  auto silent = f.process.dialRaw();
  CHECK(silent->readAllBytes().wait(f.scope).size() == 0);
}

TEST_CASE("S25 an id or a request id of a terminal finds no program, and the other way round") {
  Fixture f;
  auto lane = f.process.enter(rpc::Purpose::INTERACTIVE);
  auto other = f.process.enter(rpc::Purpose::COMMANDS);
  auto terminals = lane->bootstrap().castAs<rpc::Agent>().terminalsRequest().send().getTerminals();
  auto processes = other->bootstrap().castAs<rpc::Agent>().processesRequest().send().getProcesses();
  auto open = terminals.openRequest();
  open.initCommand().setArgv({"sleep", "1000"});
  open.initSize().setColumns(80);
  open.getSize().setRows(24);
  open.setRequestId("same");
  auto opened = open.send().wait(f.scope);
  REQUIRE(opened.getOutcome().isOpened());

  auto exec = processes.execRequest();
  exec.initCommand().setArgv({"sleep", "1000"});
  exec.setKeep(true);
  exec.setRequestId("same");
  auto started = exec.send().wait(f.scope);
  REQUIRE(started.getOutcome().isStarted());
  CHECK(terminals.listRequest().send().wait(f.scope).getTerminals().size() == 1);

  auto get = terminals.getRequest();
  get.setId(started.getId());
  CHECK(get.send().wait(f.scope).getOutcome().isAbsent());
  auto reattach = processes.reattachRequest();
  reattach.setId(opened.getId());
  CHECK(reattach.send().wait(f.scope).getOutcome().isAbsent());
  opened.getTerminal().closeRequest().send().wait(f.scope);
  started.getProcess().endRequest().send().wait(f.scope);
}

TEST_CASE("an agent that is no PID 1 ends no machine") {
  Fixture f;
  auto lane = f.process.enter(rpc::Purpose::CONTROL);
  auto system = lane->bootstrap().castAs<rpc::AgentControl>();
  CHECK_THROWS_AS(system.powerOffRequest().send().wait(f.scope), kj::Exception);
  system.pingRequest().send().wait(f.scope);
}

TEST_CASE("an agent on a connected socket ends with its connection") {
  auto io = kj::setupAsyncIo();
  int fds[2];
  KJ_SYSCALL(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds));
  kj::AutoCloseFd ours(fds[0]), theirs(fds[1]);
  auto secret = kj::heapArray<kj::byte>(rpc::SECRET_BYTES);
  auto pid = startAgent(theirs.get(), pipeWith(secret).get());
  theirs = nullptr;
  ours = nullptr;
  int status;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

}  // namespace
}  // namespace bothy
