#include "support/broken-image.h"

#include <filesystem>
#include <fstream>

#include "support/host-program.h"

namespace bothy {

namespace fs = std::filesystem;

BrokenImage::BrokenImage(SupervisedHost& host) : directory(kj::str(host.directory(), "/images")) {
  fs::create_directory(path("").cStr());
  for (auto name : {"vmlinux", "initramfs.cpio", "root.erofs"}) {
    fs::create_hard_link(kj::str(directory, "/base/", name).cStr(), path(name).cStr());
  }
  describe();
}

void BrokenImage::setKernelText(kj::StringPtr text) {
  fs::remove(path("vmlinux").cStr());
  std::ofstream(path("vmlinux").cStr()) << text.cStr();
  describe();
}

void BrokenImage::setInit(kj::StringPtr init) {
  auto tree = path("tree");
  fs::create_directory(tree.cStr());
  if (init.size() > 0) {
    fs::copy_file(init.cStr(), kj::str(tree, "/init").cStr());
    fs::permissions(kj::str(tree, "/init").cStr(), fs::perms(0755));
  }
  // Where an init without devtmpfs finds its console; see Documentation/filesystems/ramfs-rootfs-initramfs.rst.
  hostOutput({"/bin/sh"_kj, "-c"_kj,
              kj::str("cd ", tree, " && mkdir dev && mknod dev/console c 5 1 && find . | ",
                      "cpio --quiet -o -H newc > ../initramfs.new")});
  fs::rename(path("initramfs.new").cStr(), path("initramfs.cpio").cStr());
  fs::remove_all(tree.cStr());
  describe();
}

void BrokenImage::replace(kj::StringPtr name, kj::StringPtr with) {
  fs::remove(path(name).cStr());
  fs::copy_file(with.cStr(), path(name).cStr());
  fs::permissions(path(name).cStr(), fs::perms(0644));
  describe();
}

void BrokenImage::describe() {
  std::ofstream manifest(path("manifest.json").cStr());
  const char* separator = R"({"files": [)";
  for (auto name : {"vmlinux", "initramfs.cpio", "root.erofs"}) {
    manifest << separator << R"({"name": ")" << name << R"(", "bytes": ")"
             << fs::file_size(path(name).cStr()) << R"("})";
    separator = ", ";
  }
  manifest << "]}";
}

}  // namespace bothy
