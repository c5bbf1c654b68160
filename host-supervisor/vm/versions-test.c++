#include "vm/versions.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kj/async-io.h>
#include <kj/debug.h>
#include <kj/io.h>
#include <catch2/catch_test_macros.hpp>

#include <filesystem>

#include "loop/signals.h"

namespace bothy {
namespace {

struct Fixture {
  Fixture() : io((captureSignals(), kj::setupAsyncIo())), reaper(io.unixEventPort) {
    char name[] = "/tmp/bothy-version-XXXXXX";
    KJ_REQUIRE(mkdtemp(name) != nullptr);
    directory = kj::str(name);
  }
  ~Fixture() { std::filesystem::remove_all(directory.cStr()); }

  // What a program answers that is this shell script.
  EmulatorVersion ask(kj::StringPtr script) {
    auto path = kj::str(directory, "/qemu");
    FILE* file = fopen(path.cStr(), "we");
    KJ_REQUIRE(file != nullptr);
    fprintf(file, "#!/bin/sh\n%s\n", script.cStr());
    fclose(file);
    chmod(path.cStr(), 0755);
    return emulatorVersion(io.unixEventPort, reaper, path, getuid()).wait(io.waitScope);
  }

  kj::AsyncIoContext io;
  Subreaper reaper;
  kj::String directory;
};

TEST_CASE("the emulator's version is the first line that it says, fit for a log") {
  Fixture f;
  auto version = f.ask("[ \"$1\" = --version ] && printf 'QEMU 10.0.2\\033[m (x)\\nmore\\n'");
  CHECK(version.text == "QEMU 10.0.2[m (x)");
  CHECK(version.fault == "");
}

TEST_CASE("an emulator that says too much is cut") {
  Fixture f;
  auto version = f.ask("head -c 100000 /dev/zero | tr '\\0' x");
  CHECK(version.text.size() == MAX_VERSION_BYTES);
}

TEST_CASE("an emulator that cannot be asked is a fault that names it") {
  Fixture f;
  auto failed = f.ask("echo QEMU 10; exit 3");
  CHECK(failed.text == "");
  CHECK(failed.fault.startsWith(kj::str(f.directory, "/qemu cannot be asked")));
  CHECK(f.ask("exit 0").fault.size() > 0);
  auto absent = emulatorVersion(f.io.unixEventPort, f.reaper, "/nonexistent/qemu", getuid());
  CHECK(absent.wait(f.io.waitScope).fault.startsWith("/nonexistent/qemu cannot be asked"));
}

TEST_CASE("libvirt says its version") {
  int parts = 0;
  for (char c : libvirtVersion()) parts += c == '.';
  CHECK(parts == 2);
}

}  // namespace
}  // namespace bothy
