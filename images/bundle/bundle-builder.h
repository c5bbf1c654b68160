#pragma once

#include <kj/filesystem.h>
#include <kj/string.h>

namespace bothy {

constexpr kj::StringPtr KERNEL_FILE = "vmlinux"_kj;
constexpr kj::StringPtr INITRAMFS_FILE = "initramfs.cpio"_kj;
constexpr kj::StringPtr ROOT_FILE = "root.erofs"_kj;
constexpr kj::StringPtr MANIFEST_FILE = "manifest.json"_kj;

struct BundleParts {
  kj::StringPtr name;
  kj::StringPtr agentVersion;
  kj::Array<const kj::byte> agent;              // the static program
  kj::Own<const kj::ReadableFile> kernel;       // a vmlinux, or a bzImage that one is taken out of
  kj::Own<const kj::ReadableDirectory> rootfs;  // as build-rootfs leaves it
  // The /lib/modules/VERSION of a kernel that has not built in what a workspace needs.
  kj::Maybe<kj::Own<const kj::ReadableDirectory>> modules;
};

enum class BuildOutcome {
  BUILT,
  UNCHANGED,  // the bundle that was there is the same and whole; nothing was written
};

// Puts the bundle into `output` as the folder `parts.name`, in place of one that is there.  It appears
// complete or not at all: whoever interrupts this keeps the old one.  Throws FAILED, naming the part, if
// one is unfit.
BuildOutcome buildBundle(const BundleParts& parts, const kj::Directory& output);

}  // namespace bothy
