#include "actions/action-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kj/debug.h>

namespace bothy {
namespace {

constexpr mode_t DIRECTORY_MODE = 0755, FILE_MODE = 0644;

// A regular file to append to; what else has its name is removed.
kj::Maybe<kj::AutoCloseFd> openFile(int directory) {
  for (int tries = 0; tries < 2; tries++) {
    const int fd =
        openat(directory, ACTION_FILE.cStr(),
               O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, FILE_MODE);
    if (fd >= 0) {
      kj::AutoCloseFd file(fd);
      struct stat status;
      if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) return kj::mv(file);
    } else if (errno != ELOOP && errno != ENXIO && errno != EISDIR) {
      return nullptr;
    }
    if (unlinkat(directory, ACTION_FILE.cStr(), 0) < 0) return nullptr;
  }
  return nullptr;
}

}  // namespace

ActionFile::ActionFile(kj::String directory, uint64_t maxBytes)
    : directory(kj::mv(directory)), maxFileBytes(maxBytes / 2) {}

bool ActionFile::append(kj::ArrayPtr<const kj::byte> lines) {
  KJ_IF_MAYBE (parent, openDirectory()) {
    auto opened = openFile(parent->get());
    KJ_IF_MAYBE (file, opened) {
      struct stat status;
      if (fstat(*file, &status) < 0) return false;
      if (status.st_size > 0 && status.st_size + lines.size() > maxFileBytes) {
        if (renameat(parent->get(), ACTION_FILE.cStr(), parent->get(), EARLIER_ACTION_FILE.cStr()) <
            0) {
          return false;
        }
        opened = openFile(parent->get());
        if (opened == nullptr) return false;
        status.st_size = 0;
      }
      auto& target = KJ_ASSERT_NONNULL(opened);
      const auto written = write(target, lines.begin(), lines.size());
      if (written == static_cast<ssize_t>(lines.size())) return true;
      // No part of a line stays.
      if (written > 0 && ftruncate(target, status.st_size) < 0) return false;
    }
  }
  return false;
}

kj::Maybe<kj::AutoCloseFd> ActionFile::openDirectory() const {
  if (mkdir(directory.cStr(), DIRECTORY_MODE) < 0 && errno != EEXIST) return nullptr;
  const int fd = open(directory.cStr(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return nullptr;
  return kj::AutoCloseFd(fd);
}

}  // namespace bothy
