#include "tree/archive-pack.h"

#include <archive.h>
#include <archive_entry.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <kj/debug.h>
#include <kj/io.h>
#include <kj/map.h>
#include <kj/one-of.h>
#include <kj/vector.h>
#include <linux/openat2.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace bothy {
namespace {

using Reason = FileProblem::Reason;

constexpr size_t READ_BYTES = 256 * 1024;
constexpr size_t MAX_LINK_BYTES = 4096;

kj::OneOf<kj::AutoCloseFd, FileProblem> openEntry(int directory, kj::StringPtr name, int flags) {
  open_how how = {};
  how.flags = static_cast<uint64_t>(flags | O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  long fd = syscall(SYS_openat2, directory, name.cStr(), &how, sizeof(how));
  if (fd < 0) return FileProblem::fromErrno(errno);
  return kj::AutoCloseFd(static_cast<int>(fd));
}

// Owns a directory stream.
class DirectoryStream final {
public:
  explicit DirectoryStream(DIR* stream) : stream(stream) {}
  DirectoryStream(DirectoryStream&& other) : stream(other.stream) { other.stream = nullptr; }
  ~DirectoryStream() {
    if (stream != nullptr) closedir(stream);
  }
  KJ_DISALLOW_COPY(DirectoryStream);

  DIR* get() { return stream; }

private:
  DIR* stream;
};

class Packing final {
public:
  Packing(int archiveFd, TreeProgress& progress) : progress(progress) {
    KJ_ASSERT(writer != nullptr && entry != nullptr);
    archive_write_set_format_pax(writer);
    // Names are bytes: no character set is assumed, and none is converted.
    archive_write_set_options(writer, "hdrcharset=BINARY");
    archive_write_set_bytes_per_block(writer, READ_BYTES);
    archive_write_set_bytes_in_last_block(writer, 1);
    isOpen = archive_write_open_fd(writer, archiveFd) == ARCHIVE_OK;
  }
  ~Packing() {
    archive_entry_free(entry);
    archive_write_fail(writer);
    archive_write_free(writer);
  }
  KJ_DISALLOW_COPY_AND_MOVE(Packing);

  kj::Maybe<FileProblem> run(int directoryFd, kj::StringPtr name) {
    if (!isOpen) return writeProblem();
    rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
      files.rlim_cur = files.rlim_max;
      setrlimit(RLIMIT_NOFILE, &files);
    }
    KJ_IF_MAYBE (problem, add(directoryFd, name, kj::str(name))) return kj::mv(*problem);
    while (!levels.empty()) {
      auto& level = levels.back();
      errno = 0;
      auto item = readdir(level.stream.get());
      if (item == nullptr) {
        if (errno != 0) return about(level.path, FileProblem::fromErrno(errno));
        levels.removeLast();
        continue;
      }
      kj::StringPtr child = item->d_name;
      if (child == "." || child == "..") continue;
      KJ_IF_MAYBE (problem,
                   add(dirfd(level.stream.get()), child, kj::str(level.path, '/', child))) {
        return kj::mv(*problem);
      }
    }
    if (archive_write_close(writer) != ARCHIVE_OK) return writeProblem();
    return nullptr;
  }

private:
  struct Level {
    DirectoryStream stream;
    kj::String path;
  };
  struct Inode {
    dev_t device;
    ino_t number;
    bool operator==(const Inode&) const = default;
    uint hashCode() const { return kj::hashCode(device, number); }
  };

  TreeProgress& progress;
  archive* writer = archive_write_new();
  archive_entry* entry = archive_entry_new();
  bool isOpen;
  kj::Vector<Level> levels;
  // Files with more than one name, by their first.
  kj::HashMap<Inode, kj::String> links;
  kj::Array<kj::byte> buffer = kj::heapArray<kj::byte>(READ_BYTES);

  kj::Maybe<FileProblem> add(int directory, kj::StringPtr name, kj::String path) {
    struct stat status;
    if (fstatat(directory, name.cStr(), &status, AT_SYMLINK_NOFOLLOW) < 0) {
      if (errno == ENOENT && !levels.empty()) return nullptr;  // removed meanwhile
      return about(path, FileProblem::fromErrno(errno));
    }
    switch (status.st_mode & S_IFMT) {
      case S_IFDIR:
        return addDirectory(directory, name, kj::mv(path));
      case S_IFREG:
        return addFile(directory, name, kj::mv(path));
      case S_IFLNK:
        return addSymlink(directory, name, kj::mv(path), status);
      default:
        progress.skipped.fetch_add(1, std::memory_order_relaxed);
        return nullptr;
    }
  }

  kj::Maybe<FileProblem> addDirectory(int directory, kj::StringPtr name, kj::String path) {
    auto opened = openEntry(directory, name, O_DIRECTORY);
    if (opened.is<FileProblem>()) return about(path, kj::mv(opened.get<FileProblem>()));
    auto fd = kj::mv(opened.get<kj::AutoCloseFd>());
    struct stat status;
    if (fstat(fd.get(), &status) < 0) return about(path, FileProblem::fromErrno(errno));
    begin(path, status);
    KJ_IF_MAYBE (problem, writeHeader()) return kj::mv(*problem);
    if (levels.size() >= MAX_TREE_DEPTH) return about(path, FileProblem::fromErrno(ENAMETOOLONG));
    auto stream = fdopendir(fd.get());
    if (stream == nullptr) return about(path, FileProblem::fromErrno(errno));
    fd.release();
    levels.add(Level{DirectoryStream(stream), kj::mv(path)});
    return nullptr;
  }

  kj::Maybe<FileProblem> addSymlink(int directory, kj::StringPtr name, kj::String path,
                                    const struct stat& status) {
    char target[MAX_LINK_BYTES + 1];
    auto size = readlinkat(directory, name.cStr(), target, MAX_LINK_BYTES);
    if (size < 0) return about(path, FileProblem::fromErrno(errno));
    target[size] = '\0';
    begin(path, status);
    archive_entry_set_symlink(entry, target);
    return writeHeader();
  }

  kj::Maybe<FileProblem> addFile(int directory, kj::StringPtr name, kj::String path) {
    auto opened = openEntry(directory, name, 0);
    if (opened.is<FileProblem>()) return about(path, kj::mv(opened.get<FileProblem>()));
    auto fd = kj::mv(opened.get<kj::AutoCloseFd>());
    struct stat status;
    if (fstat(fd.get(), &status) < 0) return about(path, FileProblem::fromErrno(errno));
    if (!S_ISREG(status.st_mode)) {  // swapped since it was looked at
      progress.skipped.fetch_add(1, std::memory_order_relaxed);
      return nullptr;
    }
    begin(path, status);
    if (status.st_nlink > 1) {
      Inode inode = {status.st_dev, status.st_ino};
      KJ_IF_MAYBE (first, links.find(inode)) {
        archive_entry_set_hardlink(entry, first->cStr());
        archive_entry_set_size(entry, 0);
        return writeHeader();
      }
      links.insert(inode, kj::str(path));
    }
    archive_entry_set_size(entry, status.st_size);
    KJ_IF_MAYBE (problem, writeHeader()) return kj::mv(*problem);
    uint64_t left = status.st_size;
    while (left > 0) {
      auto count = read(fd.get(), buffer.begin(), kj::min(left, buffer.size()));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return about(path, FileProblem::fromErrno(errno));
      if (count == 0) break;  // shorter than it was: libarchive fills the entry
      if (archive_write_data(writer, buffer.begin(), count) < 0) return writeProblem();
      progress.bytes.fetch_add(count, std::memory_order_relaxed);
      left -= count;
    }
    return nullptr;
  }

  void begin(const kj::String& path, const struct stat& status) {
    archive_entry_clear(entry);
    archive_entry_set_pathname(entry, path.cStr());
    archive_entry_set_filetype(entry, status.st_mode & S_IFMT);
    archive_entry_set_perm(entry, status.st_mode & 07777);
    archive_entry_set_mtime(entry, status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
    progress.entries.fetch_add(1, std::memory_order_relaxed);
  }

  kj::Maybe<FileProblem> writeHeader() {
    if (archive_write_header(writer, entry) < ARCHIVE_WARN) return writeProblem();
    return nullptr;
  }

  static FileProblem about(kj::StringPtr path, FileProblem problem) {
    problem.path = kj::str(path);
    return problem;
  }

  FileProblem writeProblem() {
    auto text = archive_error_string(writer);
    return FileProblem::of(Reason::OTHER, kj::str(text == nullptr ? "cannot write" : text));
  }
};

}  // namespace

kj::Maybe<FileProblem> packTree(int directoryFd, kj::StringPtr name, int archiveFd,
                                TreeProgress& progress) {
  return Packing(archiveFd, progress).run(directoryFd, name);
}

}  // namespace bothy
