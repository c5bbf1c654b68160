#pragma once

#include <dirent.h>
#include <fcntl.h>
#include <kj/debug.h>
#include <kj/io.h>
#include <kj/string.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

namespace bothy {

// For tests: a directory that goes when the test does, with all below it.
class TestDirectory final {
public:
  TestDirectory() {
    char name[] = "/tmp/bothy-tree-XXXXXX";
    KJ_ASSERT(mkdtemp(name) != nullptr);
    path = kj::str(name);
  }
  ~TestDirectory() noexcept(false) {
    std::error_code ignored;
    std::filesystem::remove_all(path.cStr(), ignored);
  }
  KJ_DISALLOW_COPY_AND_MOVE(TestDirectory);

  kj::String path;

  kj::String at(kj::StringPtr name) const { return kj::str(path, '/', name); }
  kj::AutoCloseFd open() const {
    int fd;
    KJ_SYSCALL(fd = ::open(path.cStr(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    return kj::AutoCloseFd(fd);
  }
  void makeDirectory(kj::StringPtr name) const { KJ_SYSCALL(mkdir(at(name).cStr(), 0755)); }
  void write(kj::StringPtr name, kj::StringPtr contents) const {
    int fd;
    KJ_SYSCALL(fd = ::open(at(name).cStr(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644));
    kj::FdOutputStream(kj::AutoCloseFd(fd)).write(contents.begin(), contents.size());
  }
  kj::String read(kj::StringPtr name) const {
    int fd;
    KJ_SYSCALL(fd = ::open(at(name).cStr(), O_RDONLY | O_CLOEXEC), name);
    return kj::FdInputStream(kj::AutoCloseFd(fd)).readAllText();
  }
  bool has(kj::StringPtr name) const { return access(at(name).cStr(), F_OK) == 0; }
  struct stat status(kj::StringPtr name) const {
    struct stat result;
    KJ_SYSCALL(lstat(at(name).cStr(), &result), name);
    return result;
  }
  // How many entries the tree has, at any depth.
  size_t count() const {
    size_t result = 0;
    for (auto& entry : std::filesystem::recursive_directory_iterator(path.cStr())) {
      (void)entry;
      ++result;
    }
    return result;
  }
};

}  // namespace bothy
