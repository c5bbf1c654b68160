#include "vm/machine-processes.h"

#include <stdlib.h>
#include <sys/resource.h>
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

TEST_CASE("what a child has taken of the processors is known while it runs and after its end") {
  Fixture f;
  int go[2];
  KJ_SYSCALL(pipe(go));
  const pid_t pid = fork();
  if (pid == 0) {
    char byte;
    for (;;) {
      struct rusage usage{};
      getrusage(RUSAGE_SELF, &usage);
      if (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec >= 1) break;
    }
    _exit(read(go[0], &byte, 1) == 1 ? 0 : 1);
  }
  auto process = KJ_ASSERT_NONNULL(f.processes->open(pid));
  auto time = f.processes->processorTime(process->identity());
  auto& timer = f.io.provider->getTimer();
  auto taken = [&]() { return time->taken().orDefault(0 * kj::SECONDS); };
  while (taken() < 900 * kj::MILLISECONDS) {
    timer.afterDelay(10 * kj::MILLISECONDS).wait(f.io.waitScope);
  }
  KJ_SYSCALL(write(go[1], "x", 1));
  process->onExit().wait(f.io.waitScope);
  // Before and after it was waited for.
  CHECK((taken() >= 900 * kj::MILLISECONDS && taken() < 10 * kj::SECONDS));
  while (processStartTime(pid) != nullptr) {
    timer.afterDelay(10 * kj::MILLISECONDS).wait(f.io.waitScope);
  }
  CHECK((taken() >= 1 * kj::SECONDS && taken() < 10 * kj::SECONDS));
  // Whose child another one is nobody knows here.
  CHECK(f.processes->processorTime({pid, 1})->taken() == nullptr);
  for (int fd : go) close(fd);
}

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
