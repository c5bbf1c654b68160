// P43: what container engines, file systems of users, compilers and debuggers ask of the machine.  On the image `dev`,
// which has the packages; the machine has no network.  All scenarios share it.

#include <kj/debug.h>
#include <catch2/catch_test_macros.hpp>

#include "support/shared-workspace.h"

namespace bothy {
namespace {

class Machine final {
public:
  kj::String asRoot(kj::StringPtr script) { return workspace.shell(script, "root"); }
  // As the user of the image, who is nobody special.
  kj::String asUser(kj::StringPtr script) { return workspace.shell(script, "user"); }

private:
  static constexpr uint32_t MEMORY_MIB = 1024;
  static constexpr uint32_t DISK_MIB = 2048;

  TestWorkspace& workspace =
      sharedWorkspace({.image = "dev"_kj, .memoryMib = MEMORY_MIB, .diskMib = DISK_MIB}).workspace;
};

TEST_CASE("P43 docker runs a container") {
  Machine machine;
  machine.asRoot(
      "service docker start; for i in $(seq 600); do docker info >/dev/null 2>&1 && break; sleep "
      "0.1; done");
  CHECK(machine.asRoot("docker info --format '{{.Driver}}'") == "overlay2");
  machine.asUser("tar c -C / bin/busybox | docker import - busybox");
  CHECK(machine.asUser("docker run --rm busybox /bin/busybox echo hello") == "hello");
  // A file of the image is deleted in a container, and only there; a container has a network of its own and its limit.
  CHECK(machine.asUser("docker run --rm busybox /bin/busybox sh -c "
                       "'/bin/busybox rm /bin/busybox && echo gone'") == "gone");
  CHECK(machine.asUser("docker run --rm busybox /bin/busybox ip -o -4 address show dev eth0 | grep "
                       "-c 172.17.") == "1");
  CHECK(machine.asUser(
            "docker run --rm --memory 64m busybox /bin/busybox cat /sys/fs/cgroup/memory.max") ==
        "67108864");
}

TEST_CASE("P43 podman runs a container for root") {
  Machine machine;
  machine.asRoot("tar c -C / bin/busybox | podman import - busybox");
  CHECK(machine.asRoot("podman info --format '{{.Store.GraphDriverName}}'") == "overlay");
  CHECK(machine.asRoot("podman run --rm busybox /bin/busybox sh -c "
                       "'/bin/busybox rm /bin/busybox && echo gone'") == "gone");
}

TEST_CASE("P43 podman runs a container for a user without root") {
  Machine machine;
  machine.asUser("tar c -C / bin/busybox | podman import - busybox");
  CHECK(machine.asUser("podman run --rm busybox /bin/busybox id -u") == "0");
  CHECK(machine.asUser("podman run --rm busybox /bin/busybox sh -c "
                       "'/bin/busybox rm /bin/busybox && echo gone'") == "gone");
}

TEST_CASE("P43 a user mounts a file system of his own by FUSE") {
  Machine machine;
  CHECK(machine.asUser(
            "cd ~ && mkdir lower upper work merged && echo below >lower/file && "
            "fuse-overlayfs -o lowerdir=lower,upperdir=upper,workdir=work merged && "
            "cat merged/file && stat -f -c %T merged && rm merged/file && fusermount3 -u merged && "
            "cat lower/file") == "below\nfuseblk\nbelow");
}

TEST_CASE("P43 perf counts a user's own program") {
  Machine machine;
  CHECK(
      machine.asUser(
          "perf stat -x, -e task-clock,page-faults /bin/true 2>&1 | cut -d, -f3 | sort | xargs") ==
      "page-faults:u task-clock:u");
}

TEST_CASE("P43 strace and gdb look into a user's program") {
  Machine machine;
  CHECK(machine.asUser(
            "strace -f -e trace=execve -o trace sh -c /bin/true && grep -c execve trace") == "2");
  CHECK(machine.asUser("gdb -nx -batch -ex starti -ex 'print $rip != 0' -ex kill /bin/true 2>&1 | "
                       "grep '^\\$1'") == "$1 = 1");
  CHECK(machine.asUser("sleep 1000 & gdb -nx -batch -p $! -ex 'print $_siginfo' -ex detach 2>&1 "
                       "| grep -c 'process . detached\\|detached'; kill %1 2>/dev/null; kill $!") ==
        "1");
}

TEST_CASE("P43 programs are built and run in the languages of the image") {
  Machine machine;
  CHECK(machine.asUser("echo 'int main() { return 7; }' >a.c && gcc -o a a.c && ./a; echo $?") ==
        "7");
  CHECK(machine.asUser(
            "mkdir project && cd project && "
            "echo '#include <iostream>\nint main() { std::cout << 6 * 7; }' >main.cc && "
            "printf 'cmake_minimum_required(VERSION 3.25)\nproject(p CXX)\n"
            "add_executable(p main.cc)\n' >CMakeLists.txt && "
            "cmake -G Ninja -B build . >/dev/null && ninja -C build >/dev/null && build/p") ==
        "42");
  CHECK(machine.asUser("node -e 'console.log(6 * 7)' && npm --version >/dev/null") == "42");
}

}  // namespace
}  // namespace bothy
