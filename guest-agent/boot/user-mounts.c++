#include "boot/user-mounts.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <kj/debug.h>
#include <kj/io.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/swap.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "boot/mount-table.h"
#include "process/text-file.h"

namespace bothy {
namespace {

// A mount in a loop device in a mount in a loop device: each round takes down one layer.
constexpr kj::uint MAX_ROUNDS = 16;

// The space-separated fields of a line.
kj::Vector<kj::ArrayPtr<const char>> fieldsOf(kj::ArrayPtr<const char> line) {
  kj::Vector<kj::ArrayPtr<const char>> result;
  size_t begin = 0;
  for (size_t i = 0; i <= line.size(); ++i) {
    if (i < line.size() && line[i] != ' ' && line[i] != '\t') {
      continue;
    }
    if (i > begin) {
      result.add(line.slice(begin, i));
    }
    begin = i + 1;
  }
  return result;
}

// The kernel writes a space, a tab, a line feed and a backslash as \ooo.
kj::String unescape(kj::ArrayPtr<const char> text) {
  kj::Vector<char> result;
  auto digit = [&](size_t at) { return at < text.size() ? unsigned(text[at] - '0') : 8u; };
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && digit(i + 1) < 4 && digit(i + 2) < 8 && digit(i + 3) < 8) {
      result.add(static_cast<char>(digit(i + 1) * 64 + digit(i + 2) * 8 + digit(i + 3)));
      i += 3;
    } else {
      result.add(text[i]);
    }
  }
  result.add('\0');
  return kj::String(result.releaseAsArray());
}

bool isOurs(kj::StringPtr target, kj::ArrayPtr<const char> type) {
  auto isEntry = [&](const KernelMount& mount) {
    return target == mount.target && type == kj::StringPtr(mount.type).asArray();
  };
  for (auto& mount : KERNEL_MOUNTS) {
    if (isEntry(mount)) return true;
  }
  for (auto& mount : LATE_KERNEL_MOUNTS) {
    if (isEntry(mount)) return true;
  }
  return target == "/";
}

kj::Vector<kj::String> loopDevices() {
  kj::Vector<kj::String> result;
  DIR* entries = ::opendir("/sys/block");
  if (entries == nullptr) {
    return result;
  }
  KJ_DEFER(::closedir(entries));
  while (auto entry = ::readdir(entries)) {
    kj::StringPtr name = entry->d_name;
    auto backing = kj::str("/sys/block/", name, "/loop/backing_file");
    if (name.startsWith("loop") && ::access(backing.cStr(), F_OK) == 0) {
      result.add(kj::str("/dev/", name));
    }
  }
  return result;
}

// Returns how much has changed: nothing, when nothing is left or all of it is busy.
kj::uint takeDownOnce() {
  kj::uint changes = 0;
  for (auto& area : swapAreas(readTextFile("/proc/swaps"))) {
    changes += ::swapoff(area.cStr()) == 0;
  }
  for (auto& target : mountsOfUsers(readTextFile("/proc/self/mountinfo"))) {
    changes += ::umount2(target.cStr(), UMOUNT_NOFOLLOW) == 0;
  }
  for (auto& device : loopDevices()) {
    int fd = ::open(device.cStr(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
      continue;
    }
    kj::AutoCloseFd loop(fd);
    changes += ::ioctl(loop.get(), LOOP_CLR_FD, 0) == 0;
  }
  return changes;
}

void takeDown() {
  for (kj::uint round = 0; round < MAX_ROUNDS && takeDownOnce() > 0; ++round) {
  }
  // What is busy is written, and at least out of the way.
  for (auto& target : mountsOfUsers(readTextFile("/proc/self/mountinfo"))) {
    int fd = ::open(target.cStr(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0) {
      kj::AutoCloseFd directory(fd);
      ::syncfs(directory.get());
    }
    ::umount2(target.cStr(), UMOUNT_NOFOLLOW | MNT_DETACH);
  }
}

}  // namespace

kj::Vector<kj::String> mountsOfUsers(kj::StringPtr mountinfo) {
  kj::Vector<kj::String> found;
  Lines lines(mountinfo.asArray());
  for (;;) {
    auto next = lines.next();
    if (next == nullptr) {
      break;
    }
    // ID PARENT MAJOR:MINOR ROOT TARGET OPTIONS [TAG…] - TYPE SOURCE OPTIONS
    auto fields = fieldsOf(KJ_ASSERT_NONNULL(next));
    size_t separator = 6;
    while (separator < fields.size() && fields[separator] != kj::StringPtr("-").asArray()) {
      ++separator;
    }
    if (separator + 1 >= fields.size()) {
      continue;
    }
    auto target = unescape(fields[4]);
    if (!isOurs(target, fields[separator + 1])) {
      found.add(kj::mv(target));
    }
  }
  for (size_t i = 0; i < found.size() / 2; ++i) {
    std::swap(found[i], found[found.size() - 1 - i]);
  }
  return found;
}

kj::Vector<kj::String> swapAreas(kj::StringPtr swaps) {
  kj::Vector<kj::String> result;
  Lines lines(swaps.asArray());
  lines.next();  // the heading
  for (;;) {
    auto next = lines.next();
    if (next == nullptr) {
      break;
    }
    auto fields = fieldsOf(KJ_ASSERT_NONNULL(next));
    if (fields.size() > 0) {
      result.add(unescape(fields[0]));
    }
  }
  return result;
}

bool takeDownUserMounts(kj::Duration limit) {
  struct Progress {
    std::mutex mutex;
    std::condition_variable changed;
    bool done = false;
  };
  // The thread may outlive this call.
  auto progress = std::make_shared<Progress>();
  std::thread([progress]() {
    kj::runCatchingExceptions([]() { takeDown(); });
    std::lock_guard<std::mutex> lock(progress->mutex);
    progress->done = true;
    progress->changed.notify_all();
  }).detach();
  std::unique_lock<std::mutex> lock(progress->mutex);
  return progress->changed.wait_for(lock, std::chrono::nanoseconds(limit / kj::NANOSECONDS),
                                    [&]() { return progress->done; });
}

}  // namespace bothy
