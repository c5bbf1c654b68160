#include "setup/file-placement.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/io.h>
#include <kj/one-of.h>
#include <kj/vector.h>

namespace bothy {
namespace {

constexpr mode_t DIRECTORY_MODE = 0755;
// Beside the file until it is whole: one that a crash has left is replaced by the next try.
constexpr kj::StringPtr UNFINISHED = ".bothy-setup-new"_kj;

kj::String problem(kj::StringPtr what, int error) {
  if (error == ELOOP || error == ENOTDIR) {
    return kj::str(what, ": it is no directory, or a symbolic link: name the directory itself");
  }
  return kj::str(what, ": ", strerror(error));
}

kj::Maybe<kj::Vector<kj::String>> componentsOf(kj::StringPtr path) {
  kj::Vector<kj::String> result;
  if (!path.startsWith("/")) return nullptr;
  size_t begin = 1;
  for (size_t i = 1; i <= path.size(); i++) {
    if (i < path.size() && path[i] != '/') continue;
    auto name = kj::heapString(path.slice(begin, i));
    begin = i + 1;
    if (name == "." || name == "..") return nullptr;
    if (name.size() > 0) result.add(kj::mv(name));
  }
  if (result.empty() || path.endsWith("/")) return nullptr;
  return kj::mv(result);
}

// The directory `name` in `parent`, made if it is missing; or errno.
kj::OneOf<kj::AutoCloseFd, int> enter(int parent, kj::StringPtr name, const PlacedFile& file) {
  constexpr int FLAGS = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  int fd = openat(parent, name.cStr(), FLAGS);
  if (fd >= 0) return kj::AutoCloseFd(fd);
  if (errno != ENOENT) return errno;
  if (mkdirat(parent, name.cStr(), DIRECTORY_MODE) < 0 && errno != EEXIST) return errno;
  fd = openat(parent, name.cStr(), FLAGS);
  if (fd < 0) return errno;
  kj::AutoCloseFd made(fd);
  if (fchown(fd, file.owner, file.group) < 0 || fchmod(fd, DIRECTORY_MODE) < 0) return errno;
  if (fsync(parent) < 0) return errno;
  return kj::mv(made);
}

// errno, or 0.
int fill(int fd, const PlacedFile& file) {
  auto rest = file.content;
  while (rest.size() > 0) {
    const auto count = write(fd, rest.begin(), rest.size());
    if (count < 0 && errno != EINTR) return errno;
    if (count > 0) rest = rest.slice(count, rest.size());
  }
  // The mode last: a change of the owner takes set-user-id bits away.
  if (fchown(fd, file.owner, file.group) < 0 || fchmod(fd, file.mode) < 0 || fsync(fd) < 0) {
    return errno;
  }
  return 0;
}

}  // namespace

kj::Maybe<kj::String> placeFile(const PlacedFile& file) {
  auto parts = componentsOf(file.path);
  if (parts == nullptr) return kj::str(file.path, ": it is no absolute path of a file");
  auto& names = KJ_ASSERT_NONNULL(parts);
  const int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (root < 0) return problem("/", errno);
  kj::AutoCloseFd directory(root);
  kj::String reached;
  for (size_t i = 0; i + 1 < names.size(); i++) {
    reached = kj::str(reached, "/", names[i]);
    auto entered = enter(directory, names[i], file);
    KJ_IF_MAYBE (error, entered.tryGet<int>()) return problem(reached, *error);
    directory = kj::mv(entered.get<kj::AutoCloseFd>());
  }
  auto& name = names.back();
  if (unlinkat(directory, UNFINISHED.cStr(), 0) < 0 && errno != ENOENT) {
    return problem(file.path, errno);
  }
  const int fd = openat(directory, UNFINISHED.cStr(),
                        O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return problem(file.path, errno);
  kj::AutoCloseFd target(fd);
  int error = fill(fd, file);
  if (error == 0 && renameat(directory, UNFINISHED.cStr(), directory, name.cStr()) < 0) {
    error = errno;
  }
  if (error == 0 && fsync(directory) < 0) error = errno;
  if (error == 0) return nullptr;
  unlinkat(directory, UNFINISHED.cStr(), 0);
  return kj::str(file.path, ": ", strerror(error));
}

}  // namespace bothy
