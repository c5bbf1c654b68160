#include "boot/sysctl-files.h"

#include <dirent.h>
#include <fnmatch.h>
#include <glob.h>
#include <kj/debug.h>
#include <string.h>
#include <unistd.h>

#include <map>
#include <string>

#include "boot/failure.h"
#include "boot/machine-file.h"
#include "process/text-file.h"

namespace bothy {
namespace {

constexpr const char* DIRECTORIES[] = {"/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d",
                                       "/usr/lib/sysctl.d"};
constexpr kj::StringPtr LAST_FILE = "/etc/sysctl.conf"_kj;

// Settings that could not be applied, as far as they are named.
constexpr size_t MAX_NAMED_PROBLEMS = 5;

// "net.ipv4.conf.eth0/1.forwarding" and "net/ipv4/conf/eth0.1/forwarding" are the same: the first
// separator says which of the two it is.  None: it leads out of /proc/sys.
kj::Maybe<kj::String> pathOf(kj::ArrayPtr<const char> key) {
  auto path = kj::str(key);
  auto separator = path.findFirst('/').orDefault(path.size());
  bool dotted = path.findFirst('.').orDefault(path.size()) < separator;
  if (dotted) {
    for (char& c : path.asArray().slice(0, path.size())) {
      c = c == '.' ? '/' : c == '/' ? '.' : c;
    }
  }
  bool leaves = path.size() == 0 || path.startsWith("/") || strstr(path.cStr(), "..") != nullptr;
  return leaves ? nullptr : kj::Maybe<kj::String>(kj::mv(path));
}

// Adds the files of a directory that are not hidden by earlier ones.
void findFiles(kj::StringPtr root, const char* directory,
               std::map<std::string, std::string>& files) {
  auto path = kj::str(root, directory);
  DIR* entries = ::opendir(path.cStr());
  if (entries == nullptr) {
    return;
  }
  KJ_DEFER(::closedir(entries));
  while (auto entry = ::readdir(entries)) {
    if (files.size() >= MAX_SYSCTL_FILES) {
      return;
    }
    if (::fnmatch("*.conf", entry->d_name, FNM_PERIOD) == 0) {
      files.emplace(entry->d_name, kj::str(path, '/', entry->d_name).cStr());
    }
  }
}

}  // namespace

kj::Vector<SysctlSetting> parseSysctl(kj::StringPtr text) {
  kj::Vector<SysctlSetting> result;
  Lines lines(text.asArray());
  for (;;) {
    auto next = lines.next();
    if (next == nullptr) {
      break;
    }
    auto line = trimmed(KJ_ASSERT_NONNULL(next));
    if (line.size() == 0 || line[0] == '#' || line[0] == ';') {
      continue;
    }
    bool optional = line[0] == '-';
    if (optional) {
      line = line.slice(1, line.size());
    }
    size_t equals = 0;
    while (equals < line.size() && line[equals] != '=') {
      ++equals;
    }
    // "-key" without a value keeps a pattern from it; there is nothing to keep then.
    if (equals == line.size()) {
      continue;
    }
    auto value = trimmed(line.slice(equals + 1, line.size()));
    KJ_IF_MAYBE (path, pathOf(trimmed(line.slice(0, equals)))) {
      result.add(SysctlSetting{kj::mv(*path), kj::str(value), optional});
    }
  }
  return result;
}

kj::Vector<SysctlSetting> readSysctlFiles(kj::StringPtr root) {
  std::map<std::string, std::string> files;
  for (auto directory : DIRECTORIES) {
    findFiles(root, directory, files);
  }
  kj::Vector<SysctlSetting> result;
  auto add = [&](kj::StringPtr path) {
    KJ_IF_MAYBE (text, findTextFile(path, MAX_SYSCTL_FILE_BYTES)) {
      for (auto& setting : parseSysctl(*text)) {
        result.add(kj::mv(setting));
      }
    }
  };
  for (auto& file : files) {
    add(file.second.c_str());
  }
  add(kj::str(root, LAST_FILE));
  return result;
}

void applySysctlFiles() {
  kj::Vector<kj::String> problems;
  for (auto& setting : readSysctlFiles("")) {
    auto pattern = kj::str("/proc/sys/", setting.path);
    glob_t found = {};
    KJ_DEFER(::globfree(&found));
    ::glob(pattern.cStr(), GLOB_NOSORT | GLOB_NOCHECK, nullptr, &found);
    for (auto path : kj::arrayPtr(found.gl_pathv, found.gl_pathc)) {
      KJ_IF_MAYBE (e, kj::runCatchingExceptions([&]() { writeSetting(path, setting.value); })) {
        if (!setting.optional) {
          problems.add(kj::str(path));
        }
      }
    }
  }
  if (problems.size() > 0) {
    auto named = problems.asPtr().slice(0, kj::min(problems.size(), MAX_NAMED_PROBLEMS));
    failStage(kj::str(problems.size(), " settings of sysctl.conf or sysctl.d cannot be set: ",
                      kj::strArray(named, ", ")));
  }
}

}  // namespace bothy
