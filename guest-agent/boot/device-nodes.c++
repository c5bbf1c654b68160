#include "boot/device-nodes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <kj/debug.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "boot/failure.h"

namespace bothy {
namespace {

// Directories of /dev that a rule names.
constexpr kj::StringPtr DIRECTORIES[] = {""_kj, "net/"_kj};

void setMode(kj::StringPtr name) {
  KJ_IF_MAYBE (rule, deviceRuleOf(name)) {
    auto path = kj::str("/dev/", name);
    KJ_SYSCALL(::lchown(path.cStr(), 0, rule->group), path);
    // The owner first: a change of owner may take bits away.
    KJ_SYSCALL(::chmod(path.cStr(), rule->mode), path);
  }
}

}  // namespace

kj::Maybe<const DeviceRule&> deviceRuleOf(kj::StringPtr name) {
  for (auto& rule : DEVICE_RULES) {
    if (::fnmatch(rule.pattern, name.cStr(), FNM_PATHNAME) == 0) {
      return rule;
    }
  }
  return nullptr;
}

void setDeviceModes() {
  kj::Maybe<kj::String> problem;
  for (auto directory : DIRECTORIES) {
    DIR* entries = ::opendir(kj::str("/dev/", directory).cStr());
    if (entries == nullptr) {
      continue;
    }
    KJ_DEFER(::closedir(entries));
    while (auto entry = ::readdir(entries)) {
      if (entry->d_type != DT_CHR && entry->d_type != DT_BLK) {
        continue;
      }
      KJ_IF_MAYBE (e, kj::runCatchingExceptions([&]() {
                     setMode(kj::str(directory, static_cast<const char*>(entry->d_name)));
                   })) {
        problem = kj::str(e->getDescription());
      }
    }
  }
  KJ_IF_MAYBE (text, problem) {
    failStage(kj::mv(*text));
  }
}

void linkDeviceNames() {
  struct Link {
    const char* name;
    const char* target;
  };
  for (auto link : {Link{"/dev/fd", "/proc/self/fd"}, Link{"/dev/stdin", "/proc/self/fd/0"},
                    Link{"/dev/stdout", "/proc/self/fd/1"}, Link{"/dev/stderr", "/proc/self/fd/2"},
                    Link{"/dev/core", "/proc/kcore"}}) {
    KJ_SYSCALL_HANDLE_ERRORS(::symlink(link.target, link.name)) {
      case EEXIST:
        break;
      default:
        KJ_FAIL_SYSCALL("symlink()", error, link.name);
    }
  }
}

}  // namespace bothy
