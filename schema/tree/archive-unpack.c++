#include "tree/archive-unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <kj/debug.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tree/disk-blocks.h"

namespace bothy {
namespace {

using Reason = FileProblem::Reason;

constexpr size_t READ_BYTES = 64 * 1024;
// Below this an archive may grow as it likes: a short text compresses better than any ratio.
constexpr uint64_t FREE_BYTES = 1024 * 1024;

class Unpacking final {
public:
  Unpacking(int archiveFd, TreeWriter& writer, const UnpackOptions& options, TreeProgress& progress)
      : archiveFd(archiveFd), writer(writer), options(options), progress(progress) {
    KJ_ASSERT(reader != nullptr);
    if (options.compression == UnpackOptions::Compression::GZIP_AND_ZSTD) {
      archive_read_support_filter_gzip(reader);
      archive_read_support_filter_zstd(reader);
    }
    archive_read_support_format_tar(reader);
  }
  ~Unpacking() { archive_read_free(reader); }
  KJ_DISALLOW_COPY_AND_MOVE(Unpacking);

  kj::Maybe<FileProblem> run() {
    if (archive_read_open(reader, this, nullptr, &readArchive, nullptr) != ARCHIVE_OK) {
      return readProblem();
    }
    while (true) {
      archive_entry* entry;
      int result = readHeader(&entry);
      if (result == ARCHIVE_EOF) break;
      if (result != ARCHIVE_OK && result != ARCHIVE_WARN) return readProblem();
      auto name = archive_entry_pathname(entry);
      if (name == nullptr) return refuse("", "an entry without a name");
      KJ_IF_MAYBE (problem, unpackEntry(entry, name)) {
        if (problem->path == nullptr) problem->path = kj::str(name);
        return kj::mv(*problem);
      }
      KJ_IF_MAYBE (problem, checkMade(name)) return kj::mv(*problem);
    }
    return skipPadding();
  }

private:
  int archiveFd;
  TreeWriter& writer;
  const UnpackOptions& options;
  TreeProgress& progress;
  archive* reader = archive_read_new();
  kj::Array<kj::byte> buffer = kj::heapArray<kj::byte>(READ_BYTES);
  // Of the headers that are being read.
  bool inHeader = false;
  uint64_t headerBytes = 0;  // read since they began
  int64_t headerBegin = 0;   // where in the uncompressed archive
  bool hasEntry = false;
  uint64_t written = 0;
  uint64_t onDisk = 0;  // of data

  // What is skipped of the entry before is held nowhere; all headers of an entry are held at once.
  int readHeader(archive_entry** entry) {
    if (hasEntry && archive_read_data_skip(reader) < ARCHIVE_WARN) return ARCHIVE_FATAL;
    inHeader = true;
    headerBytes = 0;
    headerBegin = archive_filter_bytes(reader, 0);
    int result = archive_read_next_header(reader, entry);
    inHeader = false;
    hasEntry = true;
    return result;
  }

  static la_ssize_t readArchive(archive* reader, void* self, const void** bytes) {
    return static_cast<Unpacking*>(self)->readSome(reader, bytes);
  }

  la_ssize_t readSome(archive* reader, const void** bytes) {
    // The one is more where the archive is compressed, the other where libarchive waits for a record to be whole.
    auto unpacked = static_cast<uint64_t>(
        kj::max(archive_filter_bytes(reader, 0) - headerBegin, la_int64_t{0}));
    if (inHeader && kj::max(headerBytes, unpacked) > MAX_HEADER_BYTES) {
      archive_set_error(reader, E2BIG, "more than %llu bytes of headers for one entry",
                        static_cast<unsigned long long>(MAX_HEADER_BYTES));
      return ARCHIVE_FATAL;
    }
    ssize_t count;
    while ((count = read(archiveFd, buffer.begin(), buffer.size())) < 0 && errno == EINTR) {
    }
    if (count < 0) {
      archive_set_error(reader, errno, "cannot read the archive");
      return ARCHIVE_FATAL;
    }
    headerBytes += static_cast<uint64_t>(count);
    *bytes = buffer.begin();
    return count;
  }

  // A name of some KiB may have made a thousand directories.
  kj::Maybe<FileProblem> checkMade(kj::StringPtr name) {
    auto made = progress.entries.load(std::memory_order_relaxed) + writer.parentsMade();
    if (made > options.maxEntries) return tooManyEntries(name);
    if (takenBytes() > options.maxBytes) return tooLarge(name);
    return nullptr;
  }

  uint64_t takenBytes() {
    auto made = progress.entries.load(std::memory_order_relaxed) + writer.parentsMade();
    return onDisk + made * DISK_BLOCK_BYTES;
  }

  FileProblem tooManyEntries(kj::StringPtr name) {
    return FileProblem::of(Reason::TOO_MANY_ENTRIES,
                           kj::str("more than ", options.maxEntries, " entries"), kj::str(name));
  }

  FileProblem tooLarge(kj::StringPtr name) {
    return FileProblem::of(Reason::NO_SPACE,
                           kj::str("more than the ", options.maxBytes, " bytes it may take"),
                           kj::str(name));
  }

  kj::Maybe<FileProblem> unpackEntry(archive_entry* entry, kj::StringPtr name) {
    if (progress.entries.fetch_add(1, std::memory_order_relaxed) >= options.maxEntries) {
      return tooManyEntries(name);
    }
    KJ_IF_MAYBE (path, TreePath::parse(name)) {
      if (path->depth() > MAX_TREE_DEPTH) {
        return refuse(name, kj::str("it is more than ", MAX_TREE_DEPTH, " directories deep"));
      }
      if (auto target = archive_entry_hardlink(entry)) {
        KJ_IF_MAYBE (targetPath, TreePath::parse(target)) {
          return writer.makeHardLink(*path, *targetPath);
        }
        return refuse(name, "a hard link that leads out of the tree");
      }
      timespec modified = {archive_entry_mtime(entry), archive_entry_mtime_nsec(entry)};
      switch (archive_entry_filetype(entry)) {
        case AE_IFDIR:
          return writer.makeDirectory(*path, archive_entry_perm(entry), modified);
        case AE_IFLNK: {
          auto target = archive_entry_symlink(entry);
          if (target == nullptr) return refuse(name, "a symlink without a target");
          return writer.makeSymlink(*path, target, modified);
        }
        case AE_IFREG: {
          auto file = writer.makeFile(*path);
          if (file.is<FileProblem>()) return kj::mv(file.get<FileProblem>());
          auto fd = kj::mv(file.get<kj::AutoCloseFd>());
          KJ_IF_MAYBE (problem, writeContents(entry, fd.get())) return kj::mv(*problem);
          return writer.finishFile(kj::mv(fd), archive_entry_perm(entry), modified);
        }
        default:
          return refuse(name, "neither file, directory nor link");
      }
    }
    return refuse(name, "the name leads out of the tree or is too long");
  }

  kj::Maybe<FileProblem> writeContents(archive_entry* entry, int fd) {
    DiskBlocks blocks;
    while (true) {
      const void* block;
      size_t size;
      la_int64_t offset;
      int result = archive_read_data_block(reader, &block, &size, &offset);
      if (result == ARCHIVE_EOF) break;
      if (result != ARCHIVE_OK && result != ARCHIVE_WARN) return readProblem();
      written += size;
      onDisk += blocks.add(static_cast<uint64_t>(offset), size);
      progress.bytes.fetch_add(size, std::memory_order_relaxed);
      if (options.compression != UnpackOptions::Compression::NONE && isOverRatio()) {
        return FileProblem::of(
            Reason::TOO_MANY_ENTRIES,
            kj::str("unpacks to more than ", options.maxRatio, " times its size"));
      }
      if (takenBytes() > options.maxBytes) return tooLarge(archive_entry_pathname(entry));
      auto bytes = static_cast<const char*>(block);
      while (size > 0) {
        auto count = pwrite(fd, bytes, size, offset);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return FileProblem::fromErrno(errno);
        bytes += count;
        offset += count;
        size -= count;
      }
    }
    // The end of a sparse file may be a hole.
    struct stat status;
    if (fstat(fd, &status) < 0) return FileProblem::fromErrno(errno);
    if (status.st_size < archive_entry_size(entry) &&
        ftruncate(fd, archive_entry_size(entry)) < 0) {
      return FileProblem::fromErrno(errno);
    }
    return nullptr;
  }

  bool isOverRatio() {
    if (written <= FREE_BYTES) return false;
    auto packed = archive_filter_bytes(reader, -1);
    return written - FREE_BYTES > static_cast<uint64_t>(packed < 0 ? 0 : packed) * options.maxRatio;
  }

  // The sender may still be writing: a reader that goes away would look like a failure to it.
  kj::Maybe<FileProblem> skipPadding() {
    char padding[4096];
    for (uint64_t total = 0; total <= MAX_TRAILING_BYTES;) {
      auto count = read(archiveFd, padding, sizeof(padding));
      if (count == 0) return nullptr;
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return FileProblem::fromErrno(errno);
      total += count;
    }
    return refuse("", "the archive goes on after its end");
  }

  static FileProblem refuse(kj::StringPtr name, kj::StringPtr why) {
    return FileProblem::of(Reason::INVALID_ARCHIVE, kj::str(why), kj::str(name));
  }

  FileProblem readProblem() {
    auto text = archive_error_string(reader);
    return refuse("", text == nullptr ? "not a tar archive" : text);
  }
};

}  // namespace

kj::Maybe<FileProblem> unpackArchive(int archiveFd, TreeWriter& writer, UnpackOptions options,
                                     TreeProgress& progress) {
  return Unpacking(archiveFd, writer, options, progress).run();
}

}  // namespace bothy
