#include "vm/libvirt-root.h"

#include <stdlib.h>
#include <sys/stat.h>

#include <kj/debug.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

namespace stdfs = std::filesystem;

// The directories of a driver.
struct Directories {
  Directories() {
    char name[] = "/tmp/bothy-root-XXXXXX";
    KJ_REQUIRE(mkdtemp(name) != nullptr);
    directory = kj::str(name);
    settings.stateDir = kj::str(name, "/state");
    settings.runtimeDir = kj::str(name, "/run");
    settings.probeUser = 965910;
    for (auto& made : {&settings.stateDir, &settings.runtimeDir}) {
      stdfs::create_directory(made->cStr());
    }
    root = libvirtRoot(settings);
  }
  ~Directories() { stdfs::remove_all(directory.cStr()); }

  // Below libvirt's root.
  mode_t mode(kj::StringPtr below) const {
    struct stat stats;
    KJ_SYSCALL(stat(kj::str(root, below).cStr(), &stats));
    return stats.st_mode & 07777;
  }
  std::string settingsOfQemu() const {
    std::stringstream text;
    text << std::ifstream(kj::str(root, "/etc/qemu.conf").cStr()).rdbuf();
    return text.str();
  }

  kj::String directory;
  LibvirtDriverSettings settings;
  kj::String root;
};

TEST_CASE("S20 a machine's user passes to its own directory in libvirt's root, and to no other") {
  Directories d;
  auto place = prepareLibvirtRoot(d.settings);
  CHECK(place.uri == kj::str("qemu:///embed?root=", d.root));
  CHECK(place.secretUri == kj::str("secret:///embed?root=", d.root));
  for (auto below : {"", "/lib", "/lib/qemu"}) CHECK(d.mode(below) == 0711);
  CHECK(d.mode("/etc") == 0700);
  CHECK(d.mode("/etc/qemu.conf") == 0600);
  auto settings = d.settingsOfQemu();
  CHECK(settings.find("user = \"+965910\"") != std::string::npos);
  CHECK(settings.find("seccomp_sandbox = 1\n") != std::string::npos);
  CHECK(settings.find("max_core = 0\n") != std::string::npos);

  // Whatever was there.
  stdfs::permissions(kj::str(d.root, "/etc").cStr(), stdfs::perms(0755));
  std::ofstream(kj::str(d.root, "/etc/qemu.conf").cStr()) << "seccomp_sandbox = 0\n";
  prepareLibvirtRoot(d.settings);
  CHECK(d.mode("/etc") == 0700);
  CHECK(d.settingsOfQemu() == settings);
}

TEST_CASE("what libvirt has found of QEMU outlives its root") {
  Directories d;
  prepareLibvirtRoot(d.settings);
  auto link = kj::str(d.root, "/cache"), kept = kj::str(d.settings.stateDir, "/qemu-abilities");
  SECTION("also one that is made anew") {
    stdfs::remove_all(d.root.cStr());
    prepareLibvirtRoot(d.settings);
  }
  SECTION("also where it lay elsewhere") {
    stdfs::remove(link.cStr());
    stdfs::create_symlink("/nowhere", link.cStr());
    prepareLibvirtRoot(d.settings);
  }
  CHECK(stdfs::read_symlink(link.cStr()) == kept.cStr());
  CHECK(stdfs::is_directory(kept.cStr()));
}

TEST_CASE("the directory of a libvirt that keeps what it finds in its root stays with it") {
  Directories d;
  stdfs::create_directories(kj::str(d.root, "/cache").cStr());
  prepareLibvirtRoot(d.settings);
  CHECK_FALSE(stdfs::is_symlink(kj::str(d.root, "/cache").cStr()));
}

}  // namespace
}  // namespace bothy
