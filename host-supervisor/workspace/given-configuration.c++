#include "workspace/given-configuration.h"

#include <string.h>

#include <capnp/message.h>
#include <kj/debug.h>
#include <kj/encoding.h>
#include <kj/map.h>

#include <algorithm>

#include "keys/sha256.h"
#include "schema/limits.capnp.h"
#include "wire/escape.h"

namespace bothy {
namespace {

using Fault = kj::Maybe<kj::String>;

// The user's own, or the terminal's.
constexpr kj::StringPtr RESERVED[] = {"HOME"_kj,  "USER"_kj, "LOGNAME"_kj,
                                      "SHELL"_kj, "TERM"_kj, "XDG_RUNTIME_DIR"_kj};
constexpr uint16_t MOST_MODE = 07777;

// A client's text in an answer.
kj::String shown(kj::StringPtr text) {
  constexpr size_t MOST_BYTES = 80;
  if (text.size() <= MOST_BYTES) return escapeGuestText(text.asArray());
  return kj::str(escapeGuestText(text.asArray().slice(0, MOST_BYTES)), "...");
}

bool hasNul(kj::StringPtr text) {
  return text.findFirst('\0') != nullptr;
}

// What escaping would change is not printable.
bool isPrintable(kj::StringPtr text) {
  return escapeGuestText(text.asArray()) == text;
}

bool isNameStart(char c) {
  return c == '_' || ('a' <= c && c <= 'z') || ('A' <= c && c <= 'Z');
}
bool isDigit(char c) {
  return '0' <= c && c <= '9';
}

bool isVariableName(kj::StringPtr name) {
  if (name.size() == 0 || !isNameStart(name[0])) return false;
  for (char c : name) {
    if (!isNameStart(c) && !isDigit(c)) return false;
  }
  return true;
}

bool isLabelKey(kj::StringPtr key) {
  auto isEnd = [](char c) { return ('a' <= c && c <= 'z') || isDigit(c); };
  if (key.size() == 0 || key.size() > rpc::MAX_LABEL_KEY_BYTES) return false;
  if (!isEnd(key[0]) || !isEnd(key[key.size() - 1])) return false;
  for (char c : key) {
    if (!isEnd(c) && c != '.' && c != '_' && c != '/' && c != '-') return false;
  }
  return true;
}

Fault checkEnvironment(capnp::List<rpc::EnvironmentVariable>::Reader variables) {
  if (variables.size() > rpc::MAX_VARIABLES) {
    return kj::str("environment has ", variables.size(), " variables: it must be at most ",
                   rpc::MAX_VARIABLES);
  }
  kj::HashSet<kj::StringPtr> names;
  size_t bytes = 0;
  for (auto variable : variables) {
    kj::StringPtr name = variable.getName(), value = variable.getValue();
    if (!isVariableName(name)) {
      return kj::str("environment has '", shown(name),
                     "': a name is of letters, digits and '_', and begins with no digit");
    }
    for (auto reserved : RESERVED) {
      if (name == reserved) {
        return kj::str("environment has ", name, ": that is the user's own, or the terminal's");
      }
    }
    if (names.contains(name)) return kj::str("environment has ", shown(name), " twice");
    names.insert(name);
    if (hasNul(value)) return kj::str("environment has ", shown(name), ": a NUL is in its value");
    bytes += name.size() + value.size() + 2;
  }
  if (bytes > rpc::MAX_ENVIRONMENT_BYTES) {
    return kj::str("environment has ", bytes, " bytes: it must be at most ",
                   rpc::MAX_ENVIRONMENT_BYTES);
  }
  return nullptr;
}

Fault checkCommand(rpc::SetupStep::Command::Reader command, size_t& bytes) {
  if (command.getArgv().size() == 0 || command.getArgv()[0].size() == 0) {
    return kj::str("its command is empty");
  }
  for (kj::StringPtr argument : command.getArgv()) {
    if (hasNul(argument)) return kj::str("a NUL is in its command");
    bytes += argument.size() + 1;
  }
  if (command.getTimeoutMillis() > rpc::MAX_SETUP_STEP_MILLIS) {
    return kj::str("its timeout is ", command.getTimeoutMillis(), " ms: it must be at most ",
                   rpc::MAX_SETUP_STEP_MILLIS);
  }
  return nullptr;
}

bool isFilePath(kj::StringPtr path) {
  if (!path.startsWith("/") || path.endsWith("/") || hasNul(path) ||
      path.size() > rpc::MAX_PATH_BYTES) {
    return false;
  }
  auto whole = kj::str(path, "/");
  return strstr(whole.cStr(), "/../") == nullptr && strstr(whole.cStr(), "/./") == nullptr;
}

Fault checkFile(rpc::SetupStep::File::Reader file, size_t& bytes) {
  kj::StringPtr path = file.getPath(), owner = file.getOwner();
  if (!isFilePath(path)) {
    return kj::str("its path is '", shown(path),
                   "': it must be that of a file, from / on, of at most ", rpc::MAX_PATH_BYTES,
                   " bytes, without '..'");
  }
  if (hasNul(owner) || owner.size() > rpc::MAX_LANE_NAME_BYTES) {
    return kj::str("its owner is '", shown(owner), "': that is no user");
  }
  if (file.getMode() > MOST_MODE) {
    return kj::str("its mode is ", file.getMode(), ": it must be at most ", MOST_MODE);
  }
  bytes += path.size() + owner.size() + file.getContent().size();
  return nullptr;
}

Fault checkStep(rpc::SetupStep::Reader step, size_t& bytes) {
  kj::StringPtr name = step.getName();
  if (name.size() == 0 || name.size() > rpc::MAX_SETUP_NAME_BYTES || !isPrintable(name)) {
    return kj::str("its name is '", shown(name), "': it must be 1 to ", rpc::MAX_SETUP_NAME_BYTES,
                   " bytes of printable text");
  }
  bytes += name.size();
  switch (step.which()) {
    case rpc::SetupStep::COMMAND:
      return checkCommand(step.getCommand(), bytes);
    case rpc::SetupStep::FILE:
      return checkFile(step.getFile(), bytes);
    default:
      return kj::str("it is neither a command nor a file");
  }
}

Fault checkSetup(capnp::List<rpc::SetupStep>::Reader steps) {
  if (steps.size() > rpc::MAX_SETUP_STEPS) {
    return kj::str("setup has ", steps.size(), " steps: it must be at most ", rpc::MAX_SETUP_STEPS);
  }
  size_t total = 0;
  for (auto i : kj::indices(steps)) {
    size_t bytes = 0;
    KJ_IF_MAYBE (fault, checkStep(steps[i], bytes)) {
      return kj::str("setup has a fault in step ", i + 1, ": ", *fault);
    }
    if (bytes > rpc::MAX_SETUP_STEP_BYTES) {
      return kj::str("setup has ", bytes, " bytes in step ", i + 1, ": it must be at most ",
                     rpc::MAX_SETUP_STEP_BYTES);
    }
    total += bytes;
  }
  if (total > rpc::MAX_SETUP_BYTES) {
    return kj::str("setup has ", total, " bytes: it must be at most ", rpc::MAX_SETUP_BYTES);
  }
  return nullptr;
}

kj::String digestOf(kj::ArrayPtr<const kj::byte> bytes) {
  return kj::encodeHex(Sha256::of(bytes).bytes);
}

// What is not known here is left out.
void copyStep(rpc::SetupStep::Builder to, rpc::SetupStep::Reader from) {
  to.setName(from.getName());
  if (from.isCommand()) {
    auto command = to.initCommand();
    command.setArgv(from.getCommand().getArgv());
    command.setRoot(from.getCommand().getRoot());
    command.setTimeoutMillis(from.getCommand().getTimeoutMillis());
  } else {
    auto file = to.initFile();
    file.setPath(from.getFile().getPath());
    file.setOwner(from.getFile().getOwner());
    file.setMode(from.getFile().getMode());
    file.setContent(from.getFile().getContent());
  }
}

kj::Array<const kj::byte> contentOf(rpc::Configuration::Reader given) {
  capnp::MallocMessageBuilder message;
  auto configuration = message.initRoot<rpc::Configuration>();
  configuration.setEnvironment(given.getEnvironment());
  auto steps = given.getSetup().getSteps();
  auto plan = configuration.initSetup();
  auto list = plan.initSteps(steps.size());
  for (auto i : kj::indices(steps)) copyStep(list[i], steps[i]);
  if (steps.size() > 0) plan.setId(digestOf(capnp::canonicalize(plan.asReader()).asBytes()));
  auto words = capnp::canonicalize(configuration.asReader());
  return kj::heapArray<kj::byte>(words.asBytes());
}

}  // namespace

kj::OneOf<kj::String, LabelFault> joinLabels(capnp::List<rpc::Label>::Reader labels) {
  if (labels.size() > rpc::MAX_LABELS) {
    return LabelFault{
        kj::str("labels has ", labels.size(), " labels: it must be at most ", rpc::MAX_LABELS)};
  }
  kj::Vector<kj::String> lines;
  kj::HashSet<kj::StringPtr> keys;
  for (auto label : labels) {
    kj::StringPtr key = label.getKey(), value = label.getValue();
    if (!isLabelKey(key)) {
      return LabelFault{
          kj::str("labels has '", shown(key), "': a key is 1 to ", rpc::MAX_LABEL_KEY_BYTES,
                  " of a-z, 0-9, '.', '_', '/' and '-', none of these at either end")};
    }
    if (value.size() > rpc::MAX_LABEL_VALUE_BYTES || !isPrintable(value)) {
      return LabelFault{kj::str("labels has '", key, "': its value must be at most ",
                                rpc::MAX_LABEL_VALUE_BYTES, " bytes of printable text")};
    }
    if (keys.contains(key)) return LabelFault{kj::str("labels has ", key, " twice")};
    keys.insert(key);
    lines.add(kj::str(key, '=', value));
  }
  std::sort(lines.begin(), lines.end());
  return kj::strArray(lines, "\n");
}

kj::OneOf<GivenConfiguration, kj::String> GivenConfiguration::of(
    capnp::List<rpc::Label>::Reader labels, rpc::Configuration::Reader configuration) {
  GivenConfiguration result;
  auto joined = joinLabels(labels);
  KJ_IF_MAYBE (fault, joined.tryGet<LabelFault>()) return kj::mv(fault->why);
  result.labels = kj::mv(joined.get<kj::String>());
  auto steps = configuration.getSetup().getSteps();
  KJ_IF_MAYBE (fault, checkEnvironment(configuration.getEnvironment())) return kj::mv(*fault);
  KJ_IF_MAYBE (fault, checkSetup(steps)) return kj::mv(*fault);
  result.setupSteps = steps.size();
  if (steps.size() > 0 || configuration.getEnvironment().size() > 0) {
    result.content = contentOf(configuration);
  }
  return kj::mv(result);
}

GivenConfiguration GivenConfiguration::clone() const {
  return {kj::str(labels), kj::heapArray<kj::byte>(content), setupSteps};
}

kj::String GivenConfiguration::canonicalText() const {
  if (labels.size() == 0 && content.size() == 0) return nullptr;
  return kj::str(" labels ", labels.size(), ' ', labels, " configuration ", digestOf(content));
}

kj::Array<capnp::word> StoredConfiguration::copyOf(kj::ArrayPtr<const kj::byte> content) {
  auto words = kj::heapArray<capnp::word>(content.size() / sizeof(capnp::word));
  if (words.size() > 0) memcpy(words.begin(), content.begin(), words.size() * sizeof(capnp::word));
  return words;
}

StoredConfiguration::StoredConfiguration(kj::ArrayPtr<const kj::byte> content)
    : words(copyOf(content)),
      segment(words),
      reader(kj::arrayPtr(&segment, 1),
             capnp::ReaderOptions{UINT64_MAX, static_cast<int>(rpc::MAX_NESTING)}) {}

rpc::Configuration::Reader StoredConfiguration::get() {
  return reader.getRoot<rpc::Configuration>();
}

kj::Vector<LabelPair> splitLabels(kj::StringPtr labels) {
  kj::Vector<LabelPair> result;
  for (auto at = labels.begin(); at != labels.end();) {
    auto lineEnd = std::find(at, labels.end(), '\n');
    auto equals = std::find(at, lineEnd, '=');
    result.add(LabelPair{{at, equals}, {equals == lineEnd ? equals : equals + 1, lineEnd}});
    at = lineEnd == labels.end() ? lineEnd : lineEnd + 1;
  }
  return result;
}

bool hasLabels(kj::StringPtr labels, kj::StringPtr wanted) {
  if (wanted.size() == 0) return true;
  auto present = splitLabels(labels);
  for (auto& each : splitLabels(wanted)) {
    bool isThere = false;
    for (auto& label : present) {
      isThere = isThere || (label.key == each.key && label.value == each.value);
    }
    if (!isThere) return false;
  }
  return true;
}

}  // namespace bothy
