// What a program reads and writes: whole, in order, and no faster than it is taken.

#include <signal.h>
#include <catch2/catch_test_macros.hpp>

#include "process/test-processes.h"
#include "schema/limits.capnp.h"

namespace bothy {
namespace {

using World = ProcessesWorld;

TEST_CASE("one round trip runs a program: wait and the end of its input are pipelined") {
  World world;
  auto sent = world.request("cat; exit 9").send();
  auto end = sent.getStdin().endRequest().send();
  auto waiting = sent.getProcess().waitRequest().send();
  CHECK(waiting.wait(world.scope).getStatus().getExited() == 9);
  CHECK(world.out.ends == 1);
}

TEST_CASE("standard input arrives byte-exact and ends where the caller ends it") {
  World world;
  auto outcome = world.request("cat").send().wait(world.scope);
  auto& started = outcome;
  auto stdin = started.getStdin();
  kj::Vector<kj::byte> expected;
  for (uint chunk = 0; chunk < 4; chunk++) {
    auto write = stdin.writeRequest();
    auto data = write.initData(64 * 1024);
    for (uint i = 0; i < data.size(); i++) data[i] = static_cast<kj::byte>((i * 7 + chunk) % 251);
    expected.addAll(data);
    write.send().wait(world.scope);
  }
  stdin.endRequest().send().wait(world.scope);
  CHECK(world.wait(started.getProcess()).status == exited(0));
  CHECK(world.out.bytes.asPtr() == expected.asPtr());
}

TEST_CASE("standard input is held back while the program does not read") {
  World world;
  auto outcome = world.request("read line; cat > /dev/null").send().wait(world.scope);
  auto& started = outcome;
  auto stdin = started.getStdin();
  auto signal = started.getProcess().signalRequest();
  signal.setNumber(SIGSTOP);
  signal.setScope(rpc::SignalScope::TREE);
  REQUIRE(signal.send().wait(world.scope).getDelivered());
  auto write = stdin.writeRequest();
  write.initData(1024 * 1024);
  auto end = [&]() {
    auto sent = write.send();
    return stdin.endRequest().send().attach(kj::mv(sent));
  }();
  CHECK_FALSE(end.poll(world.scope));
  signal = started.getProcess().signalRequest();
  signal.setNumber(SIGCONT);
  signal.setScope(rpc::SignalScope::TREE);
  signal.send().wait(world.scope);
  end.wait(world.scope);
  world.wait(started.getProcess());
}

TEST_CASE("writing to the input of a program that has ended is a disconnection") {
  World world;
  auto outcome = world.request("exit 0").send().wait(world.scope);
  auto& started = outcome;
  world.wait(started.getProcess());
  auto stdin = started.getStdin();
  auto write = stdin.writeRequest();
  write.initData(1);
  write.send().catch_([](kj::Exception&&) {}).wait(world.scope);
  kj::Maybe<kj::Exception> failure =
      kj::runCatchingExceptions([&]() { stdin.endRequest().send().wait(world.scope); });
  CHECK(KJ_REQUIRE_NONNULL(failure).getType() == kj::Exception::Type::DISCONNECTED);
}

TEST_CASE("256 KiB and more come byte-exact") {
  World world;
  CHECK(world.run("seq 1 200000; seq 1 50000 >&2").status == exited(0));
  kj::Vector<char> expected;
  for (uint i = 1; i <= 200000; i++) expected.addAll(kj::str(i, '\n'));
  CHECK(world.out.bytes.size() == expected.size());
  CHECK(world.out.bytes.asPtr() == expected.asPtr().asBytes());
  CHECK(world.err.bytes.size() == 288894);
}

TEST_CASE("a slow sink stops the program, and nothing is buffered beyond the pipe") {
  World world;
  auto gate = kj::newPromiseAndFulfiller<void>();
  world.out.gate = gate.promise.fork();
  auto process = world.start(world.request("head -c 67108864 /dev/zero"));
  auto waiting = process.waitRequest().send();
  CHECK_FALSE(waiting.poll(world.scope));
  CHECK(world.out.bytes.size() <= rpc::PREFERRED_CHUNK_BYTES);
  gate.fulfiller->fulfill();
  CHECK(waiting.wait(world.scope).getStatus().getExited() == 0);
  CHECK(world.out.bytes.size() == 67108864);
}

TEST_CASE("null sinks are /dev/null") {
  World world;
  auto request = world.processes.execRequest();
  setShell(request.initCommand(),
           "test \"$(readlink /proc/$$/fd/1)\" = /dev/null && test \"$(readlink /proc/$$/fd/2)\" = "
           "/dev/null");
  // The shell's own fd 1 within $(…) is a pipe, hence $$.
  CHECK(world.run(kj::mv(request)).status == exited(0));
}

TEST_CASE("a program may open its own /dev/stdout") {
  World world;
  CHECK(world.run("echo again > /dev/stdout").status == exited(0));
  CHECK(world.out.text() == "again\n");
}

TEST_CASE("P16 output that a program takes back itself is missed by nobody") {
  World world;
  auto request = world.request("");
  setArguments(request.getCommand(), {"bash"_kj, "-c"_kj,
                                      "exec 3</proc/self/fd/1; cat <&3 >/dev/null & "
                                      "for i in {1..20000}; do echo $i; done; kill $!; exit 7"_kj});
  CHECK(world.run(kj::mv(request)).status == exited(7));
  CHECK(world.out.ends == 1);
}

TEST_CASE("P16 a stream that broke has no end, a complete one has one") {
  World world;
  // The sink refuses: the program sees a closed pipe, the caller still learns how it ended.
  class Refusing final: public rpc::ByteSink::Server {
  public:
    kj::Promise<void> write(WriteContext) override { return KJ_EXCEPTION(FAILED, "disk full"); }
  };
  auto request = world.processes.execRequest();
  setArguments(request.initCommand(), {"yes"_kj});
  request.setStdout(kj::heap<Refusing>());
  CHECK(world.run(kj::mv(request)).status == killed(SIGPIPE));
  CHECK(world.run("echo whole").status == exited(0));
  CHECK(world.out.ends == 1);
}

}  // namespace
}  // namespace bothy
