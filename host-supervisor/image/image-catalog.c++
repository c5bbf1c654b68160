#include "image/image-catalog.h"

#include <capnp/compat/json.h>
#include <capnp/message.h>
#include <errno.h>
#include <fcntl.h>
#include <kj/debug.h>
#include <kj/io.h>
#include <sys/stat.h>
#include <unistd.h>

namespace bothy {
namespace {

constexpr size_t MAX_MANIFEST_BYTES = 1024 * 1024;

// What leads out of the directory, or is hidden in it, is no image.
bool isName(kj::StringPtr name) {
  return name.size() > 0 && !name.startsWith(".") && name.findFirst('/') == nullptr;
}

kj::Maybe<capnp::JsonValue::Reader> member(capnp::JsonValue::Reader object, kj::StringPtr name) {
  if (!object.isObject()) return nullptr;
  for (auto field : object.getObject()) {
    if (field.getName() == name) return field.getValue();
  }
  return nullptr;
}

// The path of a file that the manifest lists, which is there and has the size that it says.
kj::String wholeFile(capnp::JsonValue::Reader manifest, kj::StringPtr directory,
                     kj::StringPtr file) {
  auto files = KJ_REQUIRE_NONNULL(member(manifest, "files"), "the manifest lists no files");
  KJ_REQUIRE(files.isArray(), "the manifest's files are no list");
  for (auto entry : files.getArray()) {
    KJ_IF_MAYBE (name, member(entry, "name")) {
      if (!name->isString() || name->getString() != file) continue;
      auto size = KJ_REQUIRE_NONNULL(member(entry, "bytes"), "the manifest gives no size", file);
      // Cap'n Proto's JSON writes 64-bit numbers as text.
      uint64_t bytes = size.isString() ? kj::StringPtr(size.getString()).parseAs<uint64_t>()
                                       : static_cast<uint64_t>(size.getNumber());
      auto path = kj::str(directory, "/", file);
      struct stat stats;
      KJ_SYSCALL(stat(path.cStr(), &stats), path);
      KJ_REQUIRE(S_ISREG(stats.st_mode), "no file", path);
      KJ_REQUIRE(stats.st_size == bytes,
                 "a file of the image has not the size that its manifest says: install it again",
                 path, stats.st_size, bytes);
      return path;
    }
  }
  KJ_FAIL_REQUIRE("the manifest does not list a file that a machine needs", file);
}

// The digest of a file that the manifest lists; empty where it has none.
kj::String digestOf(capnp::JsonValue::Reader manifest, kj::StringPtr file) {
  KJ_IF_MAYBE (files, member(manifest, "files")) {
    for (auto entry : files->getArray()) {
      KJ_IF_MAYBE (name, member(entry, "name")) {
        if (!name->isString() || name->getString() != file) continue;
        KJ_IF_MAYBE (digest, member(entry, "sha256")) {
          if (digest->isString()) return kj::str(digest->getString());
        }
      }
    }
  }
  return nullptr;
}

}  // namespace

kj::Maybe<Image> InstalledImages::find(kj::StringPtr name) {
  if (!isName(name)) return nullptr;
  auto bundle = kj::str(directory, "/", name);
  auto path = kj::str(bundle, "/manifest.json");
  int raw = open(path.cStr(), O_RDONLY | O_CLOEXEC);
  if (raw < 0) {
    int error = errno;
    if (error == ENOENT || error == ENOTDIR) return nullptr;
    KJ_FAIL_SYSCALL("open", error, path);
  }
  kj::AutoCloseFd fd(raw);
  struct stat stats;
  KJ_SYSCALL(fstat(fd, &stats));
  KJ_REQUIRE(stats.st_size <= MAX_MANIFEST_BYTES, "the manifest is too large", path);
  auto text = kj::heapString(stats.st_size);
  kj::FdInputStream(kj::mv(fd)).read(text.begin(), text.size());

  capnp::MallocMessageBuilder message;
  auto root = message.initRoot<capnp::JsonValue>();
  capnp::JsonCodec().decodeRaw(text, root);
  auto manifest = root.asReader();
  return Image{wholeFile(manifest, bundle, "vmlinux"),
               wholeFile(manifest, bundle, "initramfs.cpio"),
               wholeFile(manifest, bundle, "root.erofs"), digestOf(manifest, "root.erofs")};
}

}  // namespace bothy
