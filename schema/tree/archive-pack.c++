#include "tree/archive-pack.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <kj/debug.h>
#include <kj/io.h>
#include <kj/map.h>
#include <kj/one-of.h>
#include <kj/vector.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tree/directory-stream.h"
#include "tree/file-extents.h"
#include "tree/tree-path.h"

namespace bothy {
namespace {

using Reason = FileProblem::Reason;

constexpr size_t READ_BYTES = 256 * 1024;
constexpr size_t MAX_LINK_BYTES = 4096;
// Files of the kernel say nothing of their size: so much of them is read to have it before their bytes.
constexpr size_t MAX_UNSIZED_BYTES = 16 * 1024 * 1024;
// Address space, of which no page is touched: what a hole is given as.
constexpr size_t ZERO_BYTES = 64 * 1024 * 1024;

kj::OneOf<kj::AutoCloseFd, FileProblem> openEntry(int directory, kj::StringPtr name, int flags) {
  open_how how = {};
  how.flags = static_cast<uint64_t>(flags | O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  long fd = syscall(SYS_openat2, directory, name.cStr(), &how, sizeof(how));
  if (fd < 0) return FileProblem::fromErrno(errno);
  return kj::AutoCloseFd(static_cast<int>(fd));
}

class Packing final {
public:
  Packing(int archiveFd, TreeProgress& progress) : progress(progress), archiveFd(archiveFd) {
    KJ_ASSERT(writer != nullptr && entry != nullptr);
    archive_write_set_format_pax(writer);
    // Names are bytes: no character set is assumed, and none is converted.
    archive_write_set_options(writer, "hdrcharset=BINARY");
    archive_write_set_bytes_per_block(writer, READ_BYTES);
    archive_write_set_bytes_in_last_block(writer, 1);
    isOpen = archive_write_open(writer, this, nullptr, &writeOut, nullptr) == ARCHIVE_OK;
  }
  ~Packing() {
    archive_entry_free(entry);
    // What is not at its end stays so: neither the rest of an entry nor the end of the archive is written.  Not by
    // archive_write_fail(), after which libarchive keeps its buffer.
    isOver = true;
    archive_write_free(writer);
    if (zeros != nullptr) munmap(zeros, ZERO_BYTES);
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
      auto child = level.stream.next();
      if (child == nullptr) {
        if (errno != 0) return about(level.path, FileProblem::fromErrno(errno));
        levels.removeLast();
        continue;
      }
      KJ_IF_MAYBE (problem, add(level.stream.fd(), child, kj::str(level.path, '/', child))) {
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
  const int archiveFd;
  bool isOver = false;
  archive* writer = archive_write_new();
  archive_entry* entry = archive_entry_new();
  bool isOpen;
  kj::Vector<Level> levels;
  // Files with more than one name, by their first.
  kj::HashMap<Inode, kj::String> links;
  kj::Array<kj::byte> buffer = kj::heapArray<kj::byte>(READ_BYTES);
  void* zeros = nullptr;

  static la_ssize_t writeOut(archive* writer, void* packing, const void* bytes, size_t size) {
    auto& self = *static_cast<Packing*>(packing);
    if (self.isOver) return ARCHIVE_FATAL;
    ssize_t count;
    while ((count = write(self.archiveFd, bytes, size)) < 0 && errno == EINTR) {
    }
    if (count < 0) archive_set_error(writer, errno, "Write error");
    return count;
  }

  kj::Maybe<FileProblem> add(int directory, kj::StringPtr name, kj::String path) {
    struct stat status;
    if (fstatat(directory, name.cStr(), &status, AT_SYMLINK_NOFOLLOW) < 0) {
      return unlessRemoved(path, FileProblem::fromErrno(errno));
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
    if (opened.is<FileProblem>()) return unlessRemoved(path, kj::mv(opened.get<FileProblem>()));
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
    if (size < 0) return unlessRemoved(path, FileProblem::fromErrno(errno));
    target[size] = '\0';
    begin(path, status);
    archive_entry_set_symlink(entry, target);
    return writeHeader();
  }

  kj::Maybe<FileProblem> addFile(int directory, kj::StringPtr name, kj::String path) {
    auto opened = openEntry(directory, name, 0);
    if (opened.is<FileProblem>()) return unlessRemoved(path, kj::mv(opened.get<FileProblem>()));
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
    auto size = static_cast<uint64_t>(kj::max(status.st_size, off_t{0}));
    auto extents = findExtents(fd, size);
    bool hasHoles = size > 0 && (extents.size() != 1 || extents[0].length != size);
    if (size <= READ_BYTES && !hasHoles) return addSmallFile(fd, kj::mv(path));
    return addLargeFile(fd, kj::mv(path), size, extents, hasHoles);
  }

  // Read to its end before its entry is written, which then has the size that was read.
  kj::Maybe<FileProblem> addSmallFile(int fd, kj::String path) {
    size_t count = 0;
    auto contents = buffer.asPtr();
    kj::Array<kj::byte> unsized;
    while (true) {
      KJ_IF_MAYBE (problem, readFully(fd, contents, count)) return about(path, kj::mv(*problem));
      if (count < contents.size()) break;
      struct stat now;
      if (fstat(fd, &now) < 0) return about(path, FileProblem::fromErrno(errno));
      if (static_cast<uint64_t>(now.st_size) >= count) break;  // it grows, or has just this size
      if (count >= MAX_UNSIZED_BYTES) return changed(path, "it is larger than its size says");
      auto more = kj::heapArray<kj::byte>(MAX_UNSIZED_BYTES);
      memcpy(more.begin(), contents.begin(), count);
      unsized = kj::mv(more);
      contents = unsized;
    }
    archive_entry_set_size(entry, static_cast<la_int64_t>(count));
    KJ_IF_MAYBE (problem, writeHeader()) return kj::mv(*problem);
    return writeData(contents.slice(0, count));
  }

  kj::Maybe<FileProblem> addLargeFile(int fd, kj::String path, uint64_t size,
                                      kj::Vector<FileExtent>& extents, bool hasHoles) {
    archive_entry_set_size(entry, static_cast<la_int64_t>(size));
    if (hasHoles) {
      for (auto& extent : extents) {
        archive_entry_sparse_add_entry(entry, static_cast<la_int64_t>(extent.offset),
                                       static_cast<la_int64_t>(extent.length));
      }
      if (extents.empty()) archive_entry_sparse_add_entry(entry, 0, 0);
    }
    KJ_IF_MAYBE (problem, writeHeader()) return kj::mv(*problem);
    uint64_t at = 0;
    for (auto& extent : extents) {
      KJ_IF_MAYBE (problem, writeHole(extent.offset - at)) return kj::mv(*problem);
      for (at = extent.offset; at < extent.end();) {
        auto space = buffer.slice(0, kj::min(extent.end() - at, buffer.size()));
        auto count = pread(fd, space.begin(), space.size(), static_cast<off_t>(at));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return about(path, FileProblem::fromErrno(errno));
        if (count == 0) return changed(path, BECAME_SHORTER);
        KJ_IF_MAYBE (problem, writeData(space.slice(0, count))) return kj::mv(*problem);
        at += static_cast<uint64_t>(count);
      }
    }
    // Also of a file that is one hole: the list of its data comes with the first call.
    KJ_IF_MAYBE (problem, writeHole(size - at)) return kj::mv(*problem);
    struct stat now;
    if (fstat(fd, &now) < 0) return about(path, FileProblem::fromErrno(errno));
    if (static_cast<uint64_t>(now.st_size) < size) return changed(path, BECAME_SHORTER);
    return nullptr;
  }

  // Appends to the first `count` bytes of `space` until it is full or the file ends.
  static kj::Maybe<FileProblem> readFully(int fd, kj::ArrayPtr<kj::byte> space, size_t& count) {
    while (count < space.size()) {
      auto got = pread(fd, space.begin() + count, space.size() - count, static_cast<off_t>(count));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return FileProblem::fromErrno(errno);
      if (got == 0) break;
      count += static_cast<size_t>(got);
    }
    return nullptr;
  }

  kj::Maybe<FileProblem> writeData(kj::ArrayPtr<const kj::byte> bytes) {
    if (archive_write_data(writer, bytes.begin(), bytes.size()) < 0) return writeProblem();
    progress.bytes.fetch_add(bytes.size(), std::memory_order_relaxed);
    return nullptr;
  }

  // libarchive wants the bytes of a hole as well, and looks at none of them.
  kj::Maybe<FileProblem> writeHole(uint64_t size) {
    if (size > 0 && zeros == nullptr) {
      auto mapped = mmap(nullptr, ZERO_BYTES, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (mapped == MAP_FAILED) return FileProblem::fromErrno(errno);
      zeros = mapped;
    }
    while (size > 0) {
      auto count = kj::min(size, ZERO_BYTES);
      if (archive_write_data(writer, zeros, count) < 0) return writeProblem();
      size -= count;
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

  // What is removed while its directory is read was not there.
  kj::Maybe<FileProblem> unlessRemoved(kj::StringPtr path, FileProblem problem) {
    if (problem.errorNumber == ENOENT && !levels.empty()) return nullptr;
    return about(path, kj::mv(problem));
  }

  static constexpr kj::StringPtr BECAME_SHORTER = "it became shorter while it was read"_kj;

  static FileProblem changed(kj::StringPtr path, kj::StringPtr what) {
    return FileProblem::of(Reason::CHANGED, kj::str(what), kj::str(path));
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
