#pragma once

#include <kj/one-of.h>

#include "config/settings.h"

namespace bothy {

// What a command line asks bothyd to do.
struct Serve {
  Settings settings;
};
struct CheckConfig {};
struct ShowHelp {};
struct ShowVersion {};
struct Faults {
  // At least one, each one line.
  kj::Array<kj::String> lines;
};
using Task = kj::OneOf<Serve, CheckConfig, ShowHelp, ShowVersion, Faults>;

// `--config FILE`, then flags on top of it: `--name VALUE` or `--name=VALUE` for each setting.  Without
// `--config` the file at DEFAULT_CONFIG is read if there is one.  `arguments` without the program's name.
Task readArguments(kj::ArrayPtr<const kj::StringPtr> arguments);

kj::String helpText();

constexpr kj::StringPtr DEFAULT_CONFIG = "/etc/bothy/bothyd.conf"_kj;

}  // namespace bothy
