#include "initramfs/initramfs.h"

#include <stdint.h>
#include <sys/stat.h>

#include <kj/debug.h>
#include <kj/string.h>
#include <kj/vector.h>

namespace bothy {
namespace {

constexpr size_t ALIGNMENT_BYTES = 4;  // of names and contents
constexpr size_t BLOCK_BYTES = 512;    // the archive's end is filled up to one
constexpr size_t NUMBER_DIGITS = 8;
constexpr uint64_t MAX_FILE_BYTES = 0xffffffff;
constexpr kj::StringPtr MAGIC = "070701"_kj;
constexpr kj::StringPtr END_NAME = "TRAILER!!!"_kj;
constexpr kj::StringPtr DIRECTORIES[] = {"dev"_kj, "proc"_kj, "root"_kj, "run"_kj, "sys"_kj};

constexpr kj::StringPtr MODULE_DIRECTORY = "modules"_kj;

struct DeviceNumber {
  uint32_t major = 0;
  uint32_t minor = 0;
};
constexpr DeviceNumber CONSOLE{5, 1};  // Documentation/admin-guide/devices.txt

class Archive {
public:
  explicit Archive(size_t expectedBytes) : bytes(expectedBytes) {}

  void add(kj::StringPtr name, uint32_t mode, kj::ArrayPtr<const kj::byte> content = nullptr,
           DeviceNumber device = {}) {
    KJ_REQUIRE(content.size() <= MAX_FILE_BYTES, "too large for an initramfs", name);
    bytes.addAll(MAGIC.asBytes());
    number(mode == 0 ? 0 : nextInode++);
    number(mode);
    number(0);  // user
    number(0);  // group
    number(S_ISDIR(mode) ? 2 : 1);
    number(0);  // time of change
    number(content.size());
    number(0);  // device that holds the file
    number(0);
    number(device.major);
    number(device.minor);
    number(name.size() + 1);
    number(0);  // checksum, of another format
    bytes.addAll(name.asBytes());
    bytes.add(0);
    fill(ALIGNMENT_BYTES);
    bytes.addAll(content);
    fill(ALIGNMENT_BYTES);
  }

  kj::Array<kj::byte> finish() {
    add(END_NAME, 0);
    fill(BLOCK_BYTES);
    return bytes.releaseAsArray();
  }

private:
  void number(uint64_t value) {
    auto digits = kj::hex(value);
    for (size_t i = digits.size(); i < NUMBER_DIGITS; ++i) bytes.add('0');
    for (char digit : digits) bytes.add(static_cast<kj::byte>(digit));
  }

  void fill(size_t unit) {
    while (bytes.size() % unit != 0) bytes.add(0);
  }

  kj::Vector<kj::byte> bytes;
  uint32_t nextInode = 1;
};

}  // namespace

kj::Array<kj::byte> makeInitramfs(kj::ArrayPtr<const kj::byte> agent,
                                  kj::ArrayPtr<const KernelModule> modules) {
  size_t moduleBytes = 0;
  for (auto& module : modules) moduleBytes += module.content.size();
  Archive archive(agent.size() + moduleBytes + 4096);
  for (auto directory : DIRECTORIES) archive.add(directory, S_IFDIR | 0755);
  archive.add("dev/console", S_IFCHR | 0600, nullptr, CONSOLE);
  // Nobody but root may read it: then the kernel lets no program of a user trace or read what runs it for him, from the
  // first instruction on (would_dump() in fs/exec.c).
  archive.add("init", S_IFREG | 0711, agent);
  if (modules.size() > 0) {
    kj::Vector<char> list;
    archive.add(MODULE_DIRECTORY, S_IFDIR | 0755);
    for (auto& module : modules) {
      archive.add(kj::str(MODULE_DIRECTORY, '/', module.name), S_IFREG | 0644, module.content);
      list.addAll(kj::str(module.name, '\n'));
    }
    archive.add(kj::str(MODULE_DIRECTORY, "/list"), S_IFREG | 0644, list.asPtr().asBytes());
  }
  return archive.finish();
}

}  // namespace bothy
