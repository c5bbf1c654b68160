#include "vm/versions.h"

#include <libvirt/libvirt.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/vector.h>

#include "loop/child-process.h"

namespace bothy {
namespace {

kj::String firstLine(int fd) {
  char buffer[MAX_VERSION_BYTES];
  ssize_t size;
  KJ_SYSCALL(size = pread(fd, buffer, sizeof(buffer), 0));
  kj::Vector<char> line;
  for (char c : kj::arrayPtr(buffer, static_cast<size_t>(size))) {
    if (c == '\n') break;
    if (c >= ' ' && c <= '~') line.add(c);
  }
  return kj::heapString(line.asPtr());
}

kj::Promise<kj::String> ask(kj::UnixEventPort& port, Subreaper& reaper, kj::StringPtr emulator,
                            uint32_t user) {
  int raw;
  KJ_SYSCALL(raw = memfd_create("version", MFD_CLOEXEC));
  kj::AutoCloseFd output(raw);
  auto child = ChildProcess::spawn(
      port, reaper,
      ChildSpec{emulator, kj::arr(kj::str("--version")), ChildSpec::Owner{user, user}, output.get(),
                ChildSpec::Lifetime::OWNED});
  int status = co_await port.getTimer().timeoutAfter(VERSION_LIMIT, child->onExit());
  auto text = firstLine(output);
  KJ_REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 0 && text.size() > 0,
             "it does not say its version", status, text);
  co_return kj::mv(text);
}

}  // namespace

kj::String libvirtVersion() {
  unsigned long number = 0;
  KJ_REQUIRE(virGetVersion(&number, nullptr, nullptr) == 0, "libvirt does not say its version");
  return kj::str(number / 1000000, ".", number / 1000 % 1000, ".", number % 1000);
}

kj::Promise<EmulatorVersion> emulatorVersion(kj::UnixEventPort& port, Subreaper& reaper,
                                             kj::StringPtr emulatorParam, uint32_t user) {
  auto emulator = kj::str(emulatorParam);
  co_return co_await ask(port, reaper, emulator, user)
      .then([](kj::String text) { return EmulatorVersion{kj::mv(text), kj::String()}; },
            [&emulator](kj::Exception&& exception) {
              return EmulatorVersion{kj::String(),
                                     kj::str(emulator, " cannot be asked for its version: ",
                                             exception.getDescription())};
            });
}

}  // namespace bothy
