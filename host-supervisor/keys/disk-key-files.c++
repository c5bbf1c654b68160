#include "keys/disk-key-files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/vector.h>

#include <filesystem>

#include "keys/file-content.h"
#include "keys/twin-content.h"

namespace bothy {
namespace {

constexpr size_t WIPE_PIECE_BYTES = 64 * 1024;
// What is lost where the medium gives an error: a copy within a file begins at a multiple of it.
constexpr size_t READ_PIECE_BYTES = TWIN_BLOCK_BYTES;

kj::AutoCloseFd openDirectory(kj::StringPtr directory) {
  if (mkdir(directory.cStr(), 0700) < 0 && errno != EEXIST) {
    KJ_FAIL_SYSCALL("mkdir", errno, directory);
  }
  int raw;
  KJ_SYSCALL(raw = open(directory.cStr(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC),
             directory);
  kj::AutoCloseFd fd(raw);
  struct stat stats;
  KJ_SYSCALL(fstat(fd, &stats), directory);
  if (stats.st_uid != geteuid()) {
    refuseFile(directory, kj::str("it belongs to user ", stats.st_uid, " and not to user ",
                                  geteuid(), ", who runs this"));
  }
  KJ_SYSCALL(fchmod(fd, 0700), directory);
  if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
    int error = errno;
    if (error == EWOULDBLOCK) refuseFile(directory, "another process uses this keyring: end it");
    KJ_FAIL_SYSCALL("flock", error, directory);
  }
  return fd;
}

// The size of a regular file, or nothing where there is no file.
kj::Maybe<kj::AutoCloseFd> tryOpen(int directory, kj::StringPtr name, int flags,
                                   const kj::String& path, struct stat& stats) {
  // O_NONBLOCK: a FIFO of that name must not stop bothyd.
  int raw = openat(directory, name.cStr(), flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (raw < 0) {
    int error = errno;
    if (error == ENOENT) return nullptr;
    KJ_FAIL_SYSCALL("openat", error, path);
  }
  kj::AutoCloseFd fd(raw);
  KJ_SYSCALL(fstat(fd, &stats), path);
  if (!S_ISREG(stats.st_mode)) refuseFile(path, "it is no regular file");
  return kj::mv(fd);
}

// Zeros where the medium gives an error: the other copy within the file may be whole.
size_t readPieces(int fd, kj::ArrayPtr<kj::byte> content, kj::StringPtr path) {
  size_t at = 0;
  while (at < content.size()) {
    size_t piece = kj::min(READ_PIECE_BYTES, content.size() - at);
    ssize_t count = pread(fd, content.begin() + at, piece, at);
    if (count < 0) {
      int error = errno;
      if (error != EIO) KJ_FAIL_SYSCALL("pread", error, path);
      KJ_LOG(WARNING, "a part of a file of the keyring cannot be read", path, at);
      memset(content.begin() + at, 0, piece);
      count = piece;
    }
    if (count == 0) break;
    at += count;
  }
  return at;
}

}  // namespace

DiskKeyFiles::DiskKeyFiles(kj::StringPtr directory)
    : directory(kj::heapString(directory)), directoryFd(openDirectory(directory)) {}

kj::Maybe<kj::Array<kj::byte>> DiskKeyFiles::read(kj::StringPtr name, size_t maxBytes) {
  auto file = path(name);
  struct stat stats;
  KJ_IF_MAYBE (fd, tryOpen(directoryFd, name, O_RDONLY, file, stats)) {
    if (uint64_t(stats.st_size) > maxBytes) {
      refuseFile(file, kj::str("it has ", stats.st_size, " bytes; the limit is ", maxBytes));
    }
    auto content = kj::heapArray<kj::byte>(stats.st_size);
    size_t count = readPieces(*fd, content, file);
    if (count != content.size()) refuseFile(file, "it became shorter while it was read");
    return kj::mv(content);
  }
  return nullptr;
}

void DiskKeyFiles::write(kj::StringPtr name, kj::ArrayPtr<const kj::byte> content) {
  auto file = path(name);
  int raw;
  KJ_SYSCALL(raw = openat(directoryFd, name.cStr(),
                          O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600),
             file);
  kj::AutoCloseFd fd(raw);
  KJ_SYSCALL(fchmod(fd, 0600), file);
  writeAll(fd, content, file);
  KJ_SYSCALL(fsync(fd), file);
}

void DiskKeyFiles::wipe(kj::StringPtr name) {
  auto file = path(name);
  struct stat stats;
  KJ_IF_MAYBE (fd, tryOpen(directoryFd, name, O_WRONLY, file, stats)) {
    auto zeros = kj::heapArray<kj::byte>(WIPE_PIECE_BYTES);
    memset(zeros.begin(), 0, zeros.size());
    for (uint64_t left = stats.st_size; left > 0;) {
      size_t count = kj::min(left, zeros.size());
      writeAll(*fd, zeros.slice(0, count), file);
      left -= count;
    }
    KJ_SYSCALL(fsync(*fd), file);
  }
}

bool DiskKeyFiles::link(kj::StringPtr from, kj::StringPtr to) {
  if (linkat(directoryFd, from.cStr(), directoryFd, to.cStr(), 0) < 0) {
    int error = errno;
    if (error == ENOENT) return false;
    auto file = path(from);
    KJ_FAIL_SYSCALL("linkat", error, file, to);
  }
  return true;
}

void DiskKeyFiles::rename(kj::StringPtr from, kj::StringPtr to) {
  KJ_SYSCALL(renameat(directoryFd, from.cStr(), directoryFd, to.cStr()), directory, from, to);
}

void DiskKeyFiles::remove(kj::StringPtr name) {
  if (unlinkat(directoryFd, name.cStr(), 0) < 0) {
    int error = errno;
    if (error != ENOENT) KJ_FAIL_SYSCALL("unlinkat", error, directory, name);
  }
}

void DiskKeyFiles::syncDirectory() {
  KJ_SYSCALL(fsync(directoryFd), directory);
}

kj::Array<kj::String> DiskKeyFiles::list() {
  kj::Vector<kj::String> names;
  for (auto& entry : std::filesystem::directory_iterator(directory.cStr())) {
    names.add(kj::str(entry.path().filename().c_str()));
  }
  return names.releaseAsArray();
}

bool DiskKeyFiles::isSameFile(kj::StringPtr one, kj::StringPtr other) {
  struct stat stats[2];
  kj::StringPtr names[] = {one, other};
  for (size_t i = 0; i < 2; ++i) {
    if (fstatat(directoryFd, names[i].cStr(), &stats[i], AT_SYMLINK_NOFOLLOW) < 0) {
      int error = errno;
      if (error == ENOENT) return false;
      KJ_FAIL_SYSCALL("fstatat", error, directory, names[i]);
    }
  }
  return stats[0].st_dev == stats[1].st_dev && stats[0].st_ino == stats[1].st_ino;
}

kj::String DiskKeyFiles::path(kj::StringPtr name) const {
  return kj::str(directory, "/", name);
}

}  // namespace bothy
