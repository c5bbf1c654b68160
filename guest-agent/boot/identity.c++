#include "boot/identity.h"

#include <kj/debug.h>
#include <kj/encoding.h>
#include <kj/io.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "boot/command-line.h"
#include "boot/machine-file.h"
#include "process/text-file.h"

namespace bothy {
namespace {

constexpr kj::StringPtr HOSTNAME_FILE = "/etc/hostname"_kj;
constexpr kj::StringPtr DEFAULT_HOSTNAME = "bothy"_kj;
constexpr size_t MACHINE_ID_BYTES = 16;

// Whether `word` is one of the words of a line of hosts(5), after the address.
bool namesHost(kj::ArrayPtr<const char> line, kj::StringPtr word) {
  size_t at = 0;
  bool first = true;
  while (at < line.size() && line[at] != '#') {
    auto begin = at;
    while (at < line.size() && line[at] != ' ' && line[at] != '\t' && line[at] != '#') {
      ++at;
    }
    if (at > begin) {
      if (!first && line.slice(begin, at) == word.asArray()) {
        return true;
      }
      first = false;
    } else {
      ++at;
    }
  }
  return false;
}

}  // namespace

kj::Maybe<kj::String> withHostname(kj::StringPtr hosts, kj::StringPtr name) {
  Lines lines(hosts.asArray());
  for (;;) {
    auto line = lines.next();
    if (line == nullptr) {
      break;
    }
    if (namesHost(KJ_ASSERT_NONNULL(line), name)) {
      return nullptr;
    }
  }
  auto separator = hosts.size() == 0 || hosts.endsWith("\n") ? "" : "\n";
  return kj::str(hosts, separator, "127.0.1.1\t", name, "\n");
}

void nameMachine(kj::Maybe<kj::StringPtr> wanted) {
  auto text = readTextFile(HOSTNAME_FILE);
  auto current = kj::str(trimmed(text.asArray()));
  kj::StringPtr name = DEFAULT_HOSTNAME;
  if (isHostname(current)) {
    name = current;
  }
  KJ_IF_MAYBE (given, wanted) {
    name = *given;
  }
  KJ_SYSCALL(::sethostname(name.begin(), name.size()));
  if (name != current) {
    replaceText(HOSTNAME_FILE, kj::str(name, "\n"), 0644);
  }
}

void nameInHosts(kj::StringPtr path) {
  struct utsname machine;
  KJ_SYSCALL(::uname(&machine));
  auto hosts = findTextFile(path, MAX_HOSTS_BYTES).orDefault(kj::str());
  if (hosts.size() >= MAX_HOSTS_BYTES) {
    return;
  }
  if (hosts.size() == 0) {
    hosts = kj::str("127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n");
  }
  KJ_IF_MAYBE (changed, withHostname(hosts, machine.nodename)) {
    replaceText(path, *changed, 0644);
  }
}

bool isMachineId(kj::StringPtr text) {
  if (text.size() != 2 * MACHINE_ID_BYTES) {
    return false;
  }
  for (char c : text) {
    if (!('0' <= c && c <= '9') && !('a' <= c && c <= 'f')) {
      return false;
    }
  }
  return text != "00000000000000000000000000000000";
}

void ensureMachineId(kj::StringPtr path) {
  auto text = readTextFile(path);
  if (isMachineId(kj::str(trimmed(text.asArray())))) {
    return;
  }
  kj::byte id[MACHINE_ID_BYTES];
  ssize_t n;
  KJ_SYSCALL(n = ::getrandom(id, sizeof(id), 0));
  KJ_ASSERT(n == sizeof(id));
  // The variant of a random UUID, as machine-id(5) has it.
  id[6] = (id[6] & 0x0f) | 0x40;
  id[8] = (id[8] & 0x3f) | 0x80;
  replaceText(path, kj::str(kj::encodeHex(id), "\n"), 0444);
}

void raiseLoopback() {
  int fd;
  KJ_SYSCALL(fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  kj::AutoCloseFd socket(fd);
  struct ifreq request = {};
  strcpy(request.ifr_name, "lo");
  KJ_SYSCALL(::ioctl(socket.get(), SIOCGIFFLAGS, &request));
  request.ifr_flags |= IFF_UP;
  KJ_SYSCALL(::ioctl(socket.get(), SIOCSIFFLAGS, &request));
}

}  // namespace bothy
