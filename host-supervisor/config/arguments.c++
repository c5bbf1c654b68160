#include "config/arguments.h"

#include <errno.h>
#include <fcntl.h>
#include <kj/debug.h>
#include <kj/io.h>
#include <kj/vector.h>
#include <string.h>
#include <unistd.h>

namespace bothy {
namespace {

struct Flag {
  kj::String name;
  kj::String value;
};

bool isSetting(kj::StringPtr name) {
  if (name == "config" || name.startsWith("tier-")) return true;
  for (auto& setting : settingDescriptions()) {
    if (setting.name == name) return true;
  }
  return false;
}

void readFile(Settings& settings, kj::StringPtr path, bool required,
              kj::Vector<kj::String>& faults) {
  int fd = open(path.cStr(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    int error = errno;
    if (required || error != ENOENT) {
      faults.add(kj::str(path, ":1: it cannot be read: ", strerror(error)));
    }
    return;
  }
  auto text = kj::FdInputStream(kj::AutoCloseFd(fd)).readAllText();
  for (auto& fault : readSettings(settings, path, text)) faults.add(kj::mv(fault));
}

}  // namespace

Task readArguments(kj::ArrayPtr<const kj::StringPtr> arguments) {
  kj::Vector<Flag> flags;
  kj::Vector<kj::String> faults;
  kj::Maybe<kj::String> config;
  bool checkOnly = false;
  for (size_t i = 0; i < arguments.size(); i++) {
    auto argument = arguments[i];
    if (argument == "--help" || argument == "-h") return ShowHelp();
    if (argument == "--version") return ShowVersion();
    if (argument == "--check-config") {
      checkOnly = true;
      continue;
    }
    if (!argument.startsWith("--")) {
      faults.add(kj::str(argument, ": no such argument; bothyd --help lists them"));
      continue;
    }
    Flag flag;
    KJ_IF_MAYBE (equals, argument.findFirst('=')) {
      flag.name = kj::heapString(argument.slice(2, *equals));
      flag.value = kj::heapString(argument.slice(*equals + 1));
    } else if (i + 1 < arguments.size()) {
      flag.name = kj::heapString(argument.slice(2));
      flag.value = kj::heapString(arguments[++i]);
    } else if (isSetting(argument.slice(2))) {
      faults.add(kj::str(argument, ": it wants a value"));
      continue;
    } else {
      faults.add(kj::str(argument, ": there is no such setting; bothyd --help lists them"));
      continue;
    }
    if (flag.name == "config") {
      config = kj::mv(flag.value);
    } else {
      flags.add(kj::mv(flag));
    }
  }

  Serve serve;
  KJ_IF_MAYBE (path, config) {
    readFile(serve.settings, *path, true, faults);
  } else {
    readFile(serve.settings, DEFAULT_CONFIG, false, faults);
  }
  for (auto& flag : flags) {
    KJ_IF_MAYBE (fault, set(serve.settings, flag.name, flag.value)) {
      faults.add(kj::str("--", flag.name, ": ", *fault));
    }
  }
  for (auto& fault : contradictions(serve.settings)) faults.add(kj::mv(fault));
  if (faults.size() > 0) return Faults{faults.releaseAsArray()};
  if (checkOnly) return CheckConfig();
  return kj::mv(serve);
}

kj::String helpText() {
  kj::Vector<kj::String> lines;
  lines.add(kj::str(
      "usage: bothyd [--config FILE] [--check-config] [--SETTING VALUE]...\n\n"
      "The supervisor of Bothy: keeps workspaces, runs their machines, serves clients on a\n"
      "Unix socket.  Stays in the foreground; SIGTERM ends it and leaves machines running.\n\n"
      "  --config FILE        lines of `name = value` (default ",
      DEFAULT_CONFIG,
      ", if it is there)\n"
      "  --check-config       say what is wrong with the settings, and end\n"
      "  --version, --help\n\nSettings, in the file and as flags:\n"));
  for (auto& setting : settingDescriptions()) {
    auto pad = setting.name.size() < 17 ? 17 - setting.name.size() : 1;
    lines.add(kj::str("  --", setting.name, kj::repeat(' ', pad), "  ", setting.help, "\n"));
  }
  return kj::str(kj::strArray(lines, ""));
}

}  // namespace bothy
