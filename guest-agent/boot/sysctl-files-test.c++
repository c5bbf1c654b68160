#include "boot/sysctl-files.h"

#include <kj/debug.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <catch2/catch_test_macros.hpp>

#include <filesystem>
#include <fstream>

namespace bothy {
namespace {

namespace fs = std::filesystem;

kj::String shown(kj::ArrayPtr<const SysctlSetting> settings) {
  return kj::strArray(
      KJ_MAP(setting, settings) {
        return kj::str(setting.optional ? "-" : "", setting.path, '=', setting.value);
      },
      " ");
}

TEST_CASE("sysctl.conf is read as sysctl(8) does") {
  CHECK(shown(parseSysctl("# comment\n; comment\n\n  net.ipv4.ip_forward = 1 \n-kernel/sysrq=0\n"
                          "kernel.printk = 4 4 1 7\n-no.value\nnonsense\n")) ==
        "net/ipv4/ip_forward=1 -kernel/sysrq=0 kernel/printk=4 4 1 7");
}

TEST_CASE("a dot in a name is written as a slash, or the other way round") {
  CHECK(shown(parseSysctl("net.ipv4.conf.eth0/1.forwarding=1\n"
                          "net/ipv4/conf/eth0.1/forwarding=1\n")) ==
        "net/ipv4/conf/eth0.1/forwarding=1 net/ipv4/conf/eth0.1/forwarding=1");
}

TEST_CASE("P48 no setting leads out of /proc/sys") {
  CHECK(shown(parseSysctl("../../etc/passwd=x\n/etc/passwd=x\nkernel/../../x=1\nkernel.//.x=1\n"
                          "=1\n")) == "");
}

TEST_CASE("a file hides the one of its name in a later directory, and the order is that of names") {
  char root[32] = "/tmp/bothy-sysctl-XXXXXX";
  KJ_ASSERT(mkdtemp(root) != nullptr);
  KJ_DEFER(fs::remove_all(root));
  auto put = [&](kj::StringPtr name, kj::StringPtr text) {
    auto path = kj::str(root, name);
    fs::create_directories(fs::path(path.cStr()).parent_path());
    std::ofstream(path.cStr()) << text.cStr();
  };
  put("/usr/lib/sysctl.d/50-default.conf", "a=lib\n");
  put("/usr/lib/sysctl.d/10-own.conf", "b=lib\n");
  put("/etc/sysctl.d/50-default.conf", "a=etc\n");
  put("/etc/sysctl.d/README.sysctl", "c=no\n");
  put("/etc/sysctl.conf", "d=last\n");
  KJ_SYSCALL(mkfifo(kj::str(root, "/etc/sysctl.d/60-fifo.conf").cStr(), 0600));
  CHECK(shown(readSysctlFiles(root)) == "b=lib a=etc d=last");
}

TEST_CASE("without any file there is nothing to set") {
  CHECK(readSysctlFiles("/nowhere").size() == 0);
}

}  // namespace
}  // namespace bothy
