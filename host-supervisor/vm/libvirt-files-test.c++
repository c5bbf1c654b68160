#include "vm/libvirt-files.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/io.h>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <filesystem>
#include <fstream>

namespace bothy {
namespace {

namespace stdfs = std::filesystem;

constexpr uint32_t USER = 965910;
constexpr uint32_t NEIGHBOUR = 965911;
constexpr kj::StringPtr NAME = "0123456789abcdef0123456789abcdef"_kj;
constexpr kj::StringPtr SHORT_NAME = "0123456789abcdef0123"_kj;

void bindSocket(kj::StringPtr path) {
  int raw;
  KJ_SYSCALL(raw = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  kj::AutoCloseFd fd(raw);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  KJ_REQUIRE(path.size() < sizeof(address.sun_path));
  memcpy(address.sun_path, path.begin(), path.size());
  KJ_SYSCALL(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)));
}

// libvirt's files of a machine that runs, as libvirt leaves them, and of a neighbour.
struct Root {
  Root() {
    char name[] = "/tmp/bothy-libvirt-XXXXXX";
    KJ_REQUIRE(mkdtemp(name) != nullptr);
    settings.runtimeDir = kj::str(name);
    stdfs::create_directories(path("/run/qemu").cStr());
    domain = path(kj::str("/lib/qemu/domain-7-", SHORT_NAME));
    monitor = kj::str(domain, "/monitor.sock");
    neighbour = path("/lib/qemu/domain-8-neighbour");
    makeDomain(domain, USER);
    makeDomain(neighbour, NEIGHBOUR);
    std::ofstream(path(kj::str("/run/qemu/", NAME, ".xml")).cStr()) << "<domstatus/>";
  }
  ~Root() { stdfs::remove_all(settings.runtimeDir.cStr()); }

  kj::String path(kj::StringPtr below) const { return kj::str(libvirtRoot(settings), below); }
  static void makeDomain(kj::StringPtr directory, uint32_t user) {
    stdfs::create_directories(directory.cStr());
    KJ_SYSCALL(chown(directory.cStr(), user, user));
    KJ_SYSCALL(chmod(directory.cStr(), 0700));
    bindSocket(kj::str(directory, "/monitor.sock"));
  }
  LibvirtFiles files() const { return LibvirtFiles(settings, NAME, USER); }
  bool admit() const {
    bool isAdmitted = files().admitMonitor(listDomainDirectories(libvirtRoot(settings)));
    CHECK(files().isWithheld() != isAdmitted);
    CHECK(stdfs::exists(path(kj::str("/run/qemu/", NAME, ".xml")).cStr()) == isAdmitted);
    return isAdmitted;
  }

  LibvirtDriverSettings settings;
  kj::String domain, monitor, neighbour;
};

// How often somebody has listed a directory.
class DirectoryReads final {
public:
  explicit DirectoryReads(kj::StringPtr path) {
    int raw;
    KJ_SYSCALL(raw = inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    fd = kj::AutoCloseFd(raw);
    KJ_SYSCALL(inotify_add_watch(fd, path.cStr(), IN_ACCESS));
  }

  // Since the last call.
  int count() {
    int reads = 0;
    alignas(inotify_event) char events[64 * 1024];
    for (ssize_t size; (size = read(fd, events, sizeof(events))) > 0;) {
      for (ssize_t at = 0; at < size;) {
        auto& event = *reinterpret_cast<const inotify_event*>(events + at);
        // One with a name is of what is in it.
        if (event.len == 0) ++reads;
        at += sizeof(event) + event.len;
      }
    }
    return reads;
  }

private:
  kj::AutoCloseFd fd;
};

#define NEEDS_ROOT() \
  if (getuid() != 0) SKIP("files are given to users")

TEST_CASE("S20 P41 a machine whose monitor is libvirt's own socket is taken over") {
  NEEDS_ROOT();
  Root root;
  CHECK(root.admit());
  // And nobody can put another there any more.
  struct stat stats;
  KJ_SYSCALL(stat(root.domain.cStr(), &stats));
  CHECK(stats.st_uid == 0);
  CHECK(stats.st_gid == USER);
  CHECK((stats.st_mode & 07777) == 0710);
  CHECK(root.admit());
  // Of others nothing was touched.
  KJ_SYSCALL(stat(root.neighbour.cStr(), &stats));
  CHECK(stats.st_uid == NEIGHBOUR);
  // One that has ended.
  stdfs::remove_all(root.domain.cStr());
  CHECK(root.admit());
}

TEST_CASE("S20 P41 a machine whose monitor was swapped is kept from libvirt until it is back") {
  NEEDS_ROOT();
  Root root;
  auto aside = kj::str(root.domain, "/aside");
  stdfs::rename(root.monitor.cStr(), aside.cStr());
  auto expectRefusal = [&](const char* what) {
    INFO(what);
    CHECK_FALSE(root.admit());
    CHECK_FALSE(root.admit());
    stdfs::remove(root.monitor.cStr());
  };
  stdfs::create_symlink(kj::str(root.neighbour, "/monitor.sock").cStr(), root.monitor.cStr());
  expectRefusal("a link to a neighbour's");
  stdfs::create_symlink(aside.cStr(), root.monitor.cStr());
  expectRefusal("a link to its own");
  std::ofstream(root.monitor.cStr()) << "text";
  expectRefusal("a file");
  bindSocket(root.monitor);
  KJ_SYSCALL(chown(root.monitor.cStr(), USER, USER));
  expectRefusal("a socket of its user's");
  KJ_SYSCALL(link(kj::str(root.neighbour, "/monitor.sock").cStr(), root.monitor.cStr()));
  expectRefusal("a second name of a neighbour's");
  stdfs::rename(aside.cStr(), root.monitor.cStr());
  CHECK(root.admit());
}

TEST_CASE("S20 P29 of a machine that is kept from libvirt nothing is left when it has ended") {
  NEEDS_ROOT();
  Root root;
  stdfs::remove(root.monitor.cStr());
  stdfs::create_symlink("/nowhere", root.monitor.cStr());
  std::ofstream(root.files().pidFile().cStr()) << 1;
  stdfs::create_directories(root.path(kj::str("/lib/qemu/ram/7-", SHORT_NAME)).cStr());
  CHECK_FALSE(root.admit());
  root.files().removeRest(nullptr);
  for (auto& entry : stdfs::recursive_directory_iterator(root.settings.runtimeDir.cStr())) {
    INFO(entry.path().string());
    CHECK(entry.path().string().find(SHORT_NAME.cStr()) == std::string::npos);
  }
  CHECK(stdfs::exists(root.neighbour.cStr()));
}

TEST_CASE("P29 R20 what is left of a machine is removed without a look at its neighbours'") {
  NEEDS_ROOT();
  constexpr int NEIGHBOURS = 2000;
  Root root;
  for (int i = 0; i < NEIGHBOURS; i++) {
    stdfs::create_directories(root.path(kj::str("/lib/qemu/domain-", 100 + i, "-n", i)).cStr());
  }
  stdfs::create_directories(root.path(kj::str("/lib/qemu/ram/7-", SHORT_NAME)).cStr());
  LibvirtPlaces places;
  const bool isOfThisProcess = GENERATE(false, true);
  if (isOfThisProcess) {
    places.expect(NAME);
    CHECK(places.of(NAME) == nullptr);
    places.learn(NAME, 7, getpid());
  } else {
    places.list(libvirtRoot(root.settings));
  }
  DirectoryReads reads(root.path("/lib/qemu"));
  root.files().removeRest(places.of(NAME));
  CHECK(reads.count() == 0);
  CHECK_FALSE(stdfs::exists(root.domain.cStr()));
  CHECK_FALSE(stdfs::exists(root.path(kj::str("/lib/qemu/ram/7-", SHORT_NAME)).cStr()));
  CHECK(stdfs::exists(root.path(kj::str("/lib/qemu/domain-100-n0")).cStr()));
  // Of one for which nothing was made there is nothing to look for.
  places.forget(NAME);
  root.files().removeRest(places.of(NAME));
  CHECK(reads.count() == 0);
  // A start of which it is not known how far it came.
  root.makeDomain(root.domain, USER);
  places.expect(NAME);
  root.files().removeRest(places.of(NAME));
  CHECK(reads.count() > 0);
  CHECK_FALSE(stdfs::exists(root.domain.cStr()));
}

TEST_CASE("S01 P29 what a machine made in libvirt's directory of it goes, though libvirt left it") {
  NEEDS_ROOT();
  Root root;
  CHECK(root.admit());
  // Deeper than the longest path.
  kj::AutoCloseFd current(open(root.domain.cStr(), O_DIRECTORY | O_CLOEXEC));
  for (int i = 0; i < 3000; i++) {
    KJ_SYSCALL(mkdirat(current, "a", 0700));
    current = kj::AutoCloseFd(openat(current, "a", O_DIRECTORY | O_CLOEXEC));
  }
  root.files().removeRest(nullptr);
  CHECK_FALSE(stdfs::exists(root.domain.cStr()));
  CHECK(stdfs::exists(root.neighbour.cStr()));
}

}  // namespace
}  // namespace bothy
