#include "vm/machine-processes.h"

#include <stdlib.h>
#include <unistd.h>

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include <filesystem>

#include "loop/signals.h"
#include "loop/testing/lingering-socket.h"

namespace bothy {
namespace {

constexpr uint32_t KILL_SENDER = 965943;

// A QEMU's console, and bothyd's end of it.
struct Fixture {
  Fixture()
      : io((captureSignals(), kj::setupAsyncIo())),
        reaper(io.unixEventPort),
        processes(newHostProcesses(io, reaper, KILL_SENDER)) {
    char name[] = "/tmp/bothy-processes-XXXXXX";
    KJ_REQUIRE(mkdtemp(name) != nullptr);
    directory = kj::str(name);
    auto path = kj::str(directory, "/console");
    auto address = io.provider->getNetwork().parseAddress(kj::str("unix:", path));
    auto receiver = address.wait(io.waitScope)->listen();
    console = processes->openConsole(path, getuid()).wait(io.waitScope);
    qemu = receiver->accept().wait(io.waitScope);
  }
  ~Fixture() { std::filesystem::remove_all(directory.cStr()); }

  // Of a socket that lingers QEMU keeps no copy.
  void pass() {
    LingeringSocket passed;
    int fds[] = {passed.socket.get()};
    lingering = kj::mv(passed.peer);
    dynamic_cast<kj::AsyncCapabilityStream&>(*qemu)
        .writeWithFds("x"_kj.asBytes(), nullptr, fds)
        .wait(io.waitScope);
  }

  kj::AsyncIoContext io;
  Subreaper reaper;
  kj::Own<MachineProcesses> processes;
  kj::String directory;
  kj::Own<kj::AsyncIoStream> console, qemu;
  kj::AutoCloseFd lingering;
};

TEST_CASE("a console is read to its end") {
  Fixture f;
  f.qemu->write("hello", 5).wait(f.io.waitScope);
  f.qemu = nullptr;
  CHECK(f.console->readAllText().wait(f.io.waitScope) == "hello");
}

TEST_CASE("a console at whose socket nobody listens is DISCONNECTED") {
  Fixture f;
  auto type = f.processes->openConsole("/nowhere/console", getuid())
                  .then([](auto) { return kj::Exception::Type::UNIMPLEMENTED; },
                        [](kj::Exception&& e) { return e.getType(); })
                  .wait(f.io.waitScope);
  CHECK(type == kj::Exception::Type::DISCONNECTED);
}

TEST_CASE("S01 S15 a console with which a socket comes that lingers holds nobody up") {
  Fixture f;
  f.pass();
  auto& clock = kj::systemPreciseMonotonicClock();
  const auto begin = clock.now();
  SECTION("it is read") {
    char bytes[16];
    CHECK_THROWS_AS(f.console->tryRead(bytes, 1, sizeof(bytes)).wait(f.io.waitScope),
                    kj::Exception);
    f.console = nullptr;
  }
  SECTION("it is dropped") {
    f.console = nullptr;
  }
  CHECK(clock.now() - begin < LingeringSocket::LINGER / 2);
}

}  // namespace
}  // namespace bothy
