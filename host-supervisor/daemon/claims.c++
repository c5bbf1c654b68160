#include "daemon/claims.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kj/debug.h>

#include "doctor/place-checks.h"

namespace bothy {
namespace {

constexpr mode_t PASSAGE = 0711;

// In it byte N stands for user id N.
constexpr const char* USER_IDS = "user-ids";

kj::AutoCloseFd openClaims(kj::StringPtr path) {
  if (mkdir(path.cStr(), 0700) < 0 && errno != EEXIST) KJ_FAIL_SYSCALL("mkdir", errno, path);
  // A FIFO, which open() would wait for, is not a directory either.
  int raw;
  KJ_SYSCALL(raw = open(path.cStr(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), path);
  kj::AutoCloseFd directory(raw);
  struct stat stats;
  KJ_SYSCALL(fstat(directory, &stats));
  KJ_REQUIRE(stats.st_uid == 0 && (stats.st_mode & (S_IWGRP | S_IWOTH)) == 0,
             "somebody other than root can write in the directory of bothyd's locks: remove it",
             path);
  return directory;
}

}  // namespace

void makeDirectory(kj::StringPtr path) {
  if (mkdir(path.cStr(), PASSAGE) < 0 && errno != EEXIST) KJ_FAIL_SYSCALL("mkdir", errno, path);
  KJ_SYSCALL(chmod(path.cStr(), PASSAGE), path);
}

kj::AutoCloseFd lockState(kj::StringPtr stateDir) {
  auto path = kj::str(stateDir, "/lock");
  int raw;
  KJ_SYSCALL(raw = open(path.cStr(), O_RDWR | O_CREAT | O_CLOEXEC, 0600), path);
  kj::AutoCloseFd fd(raw);
  if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
    int error = errno;
    if (error == EWOULDBLOCK) {
      KJ_FAIL_REQUIRE("another bothyd runs on this state directory", stateDir);
    }
    KJ_FAIL_SYSCALL("flock", error, path);
  }
  return fd;
}

kj::AutoCloseFd claimUserIds(uint32_t first, uint32_t count, kj::StringPtr path) {
  auto directory = openClaims(path);
  int raw;
  KJ_SYSCALL(raw = openat(directory, USER_IDS,
                          O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600),
             path, USER_IDS);
  kj::AutoCloseFd fd(raw);
  struct flock range = {};
  range.l_type = F_WRLCK;
  range.l_whence = SEEK_SET;
  range.l_start = first;
  range.l_len = count + SERVICE_UIDS;
  if (fcntl(fd, F_OFD_SETLK, &range) < 0) {
    int error = errno;
    if (error == EAGAIN || error == EACCES) {
      KJ_FAIL_REQUIRE(
          "another bothyd of this host gives out user ids of the same range: set first-uid", first,
          count);
    }
    KJ_FAIL_SYSCALL("fcntl", error, path, USER_IDS);
  }
  return fd;
}

}  // namespace bothy
