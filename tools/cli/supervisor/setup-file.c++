#include "supervisor/setup-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <capnp/compat/json.h>
#include <kj/debug.h>
#include <kj/io.h>

#include "console/failure.h"
#include "console/quantity.h"
#include "wire/escape.h"

namespace bothy {
namespace {

using Value = capnp::JsonValue;

// A file that is longer is refused anyway.
constexpr size_t MOST_TEXT_BYTES = 8 * 1024 * 1024;
constexpr int OCTAL = 8;

[[noreturn]] void fault(kj::StringPtr what) {
  kj::throwFatalException(failure(kj::str("--setup: ", what), WRONG_USAGE));
}

kj::String shown(kj::StringPtr text) {
  return escapeGuestText(text.asArray());
}

// At most `limit` bytes, and one more if it is longer.
kj::Array<kj::byte> readLocal(kj::StringPtr path, size_t limit) {
  const int fd = open(path.cStr(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) fault(kj::str(shown(path), ": ", strerror(errno)));
  kj::AutoCloseFd file(fd);
  kj::Vector<kj::byte> bytes;
  kj::byte buffer[65536];
  for (;;) {
    const auto count = read(file, buffer, sizeof(buffer));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fault(kj::str(shown(path), ": ", strerror(errno)));
    if (count == 0) break;
    bytes.addAll(buffer, buffer + count);
    if (bytes.size() > limit) fault(kj::str(shown(path), " has more than ", limit, " bytes"));
  }
  return bytes.releaseAsArray();
}

// One step, in which every member is asked for by its name once.
class StepReader final {
public:
  StepReader(kj::uint number, Value::Reader value, kj::StringPtr directory)
      : number(number), value(value), directory(directory) {
    if (!value.isObject()) fail("it must be an object, {\"name\": ...}");
  }

  void read(rpc::SetupStep::Builder step) {
    step.setName(text("name").orDefault(nullptr));
    const bool isFile = find("file") != nullptr;
    if (isFile == (find("run") != nullptr)) fail("it wants one of \"run\" and \"file\"");
    if (isFile) {
      requireOnly({"name"_kj, "file"_kj, "content"_kj, "source"_kj, "owner"_kj, "mode"_kj});
      readFile(step.initFile());
    } else {
      requireOnly({"name"_kj, "run"_kj, "as"_kj, "timeout"_kj});
      readCommand(step.initCommand());
    }
  }

private:
  const kj::uint number;
  const Value::Reader value;
  const kj::StringPtr directory;

  [[noreturn]] void fail(kj::StringPtr what) const { fault(kj::str("step ", number, ": ", what)); }

  kj::Maybe<Value::Reader> find(kj::StringPtr name) const {
    for (auto field : value.getObject()) {
      if (field.getName() == name) return field.getValue();
    }
    return nullptr;
  }
  kj::Maybe<kj::StringPtr> text(kj::StringPtr name) const {
    KJ_IF_MAYBE (found, find(name)) {
      if (!found->isString()) fail(kj::str("\"", name, "\" must be a text"));
      return kj::StringPtr(found->getString());
    }
    return nullptr;
  }
  void requireOnly(std::initializer_list<kj::StringPtr> names) const {
    for (auto field : value.getObject()) {
      bool isKnown = false;
      for (auto name : names) isKnown = isKnown || field.getName() == name;
      if (!isKnown) {
        fail(kj::str("it has \"", shown(field.getName()), "\", which is none of ",
                     kj::strArray(kj::arrayPtr(names.begin(), names.size()), ", ")));
      }
    }
  }

  void readCommand(rpc::SetupStep::Command::Builder command) const {
    auto run = KJ_ASSERT_NONNULL(find("run"));
    if (run.isString()) {
      auto argv = command.initArgv(3);
      argv.set(0, "/bin/sh");
      argv.set(1, "-c");
      argv.set(2, run.getString());
    } else if (run.isArray()) {
      auto words = run.getArray();
      auto argv = command.initArgv(words.size());
      for (auto i : kj::indices(words)) {
        if (!words[i].isString()) fail("\"run\" must be a text, or a list of texts");
        argv.set(i, words[i].getString());
      }
    } else {
      fail("\"run\" must be a text, or a list of texts");
    }
    auto user = text("as").orDefault("user"_kj);
    if (user != "root" && user != "user") fail("\"as\" must be \"root\" or \"user\"");
    command.setRoot(user == "root");
    KJ_IF_MAYBE (given, text("timeout")) {
      KJ_IF_MAYBE (duration, parseDuration(*given)) {
        if (*duration / kj::MILLISECONDS > 0) {
          command.setTimeoutMillis(*duration / kj::MILLISECONDS);
          return;
        }
      }
      fail(kj::str("\"timeout\" must be a time like \"30s\" or \"5m\", not ", shown(*given)));
    }
  }

  void readFile(rpc::SetupStep::File::Builder file) const {
    file.setPath(KJ_ASSERT_NONNULL(text("file")));
    file.setOwner(text("owner").orDefault(nullptr));
    auto content = text("content");
    auto source = text("source");
    if ((content == nullptr) == (source == nullptr)) {
      fail("a file wants one of \"content\" and \"source\"");
    }
    KJ_IF_MAYBE (words, content) {
      file.setContent(words->asBytes());
    } else {
      auto& path = KJ_ASSERT_NONNULL(source);
      auto whole = path.startsWith("/") ? kj::str(path) : kj::str(directory, "/", path);
      file.setContent(readLocal(whole, rpc::MAX_SETUP_STEP_BYTES));
    }
    KJ_IF_MAYBE (mode, text("mode")) {
      char* end = nullptr;
      const auto number = strtoul(mode->cStr(), &end, OCTAL);
      if (mode->size() == 0 || end != mode->end() || number > UINT16_MAX) {
        fail(kj::str("\"mode\" must be octal, like \"0644\", not ", shown(*mode)));
      }
      file.setMode(static_cast<uint16_t>(number));
    }
  }
};

}  // namespace

void parseSetup(kj::StringPtr text, kj::StringPtr directory, rpc::Configuration::Builder result) {
  capnp::MallocMessageBuilder message;
  auto root = message.initRoot<Value>();
  KJ_IF_MAYBE (e, kj::runCatchingExceptions([&]() { capnp::JsonCodec().decodeRaw(text, root); })) {
    fault(kj::str("it is no JSON: ", shown(e->getDescription())));
  }
  if (!root.isObject()) fault("it must be an object, {\"steps\": [...]}");
  for (auto member : root.asReader().getObject()) {
    auto value = member.getValue();
    if (member.getName() == "steps" && value.isArray()) {
      auto steps = value.getArray();
      auto list = result.initSetup().initSteps(steps.size());
      for (auto i : kj::indices(steps)) StepReader(i + 1, steps[i], directory).read(list[i]);
    } else if (member.getName() == "environment" && value.isObject()) {
      auto variables = value.getObject();
      auto list = result.initEnvironment(variables.size());
      for (auto i : kj::indices(variables)) {
        if (!variables[i].getValue().isString()) fault("\"environment\" must have texts");
        list[i].setName(variables[i].getName());
        list[i].setValue(variables[i].getValue().getString());
      }
    } else {
      fault(kj::str("it has \"", shown(member.getName()),
                    "\": it may have a list of \"steps\" and an object \"environment\""));
    }
  }
}

void readSetupFile(kj::StringPtr path, capnp::MallocMessageBuilder& message) {
  auto bytes = readLocal(path, MOST_TEXT_BYTES);
  kj::String directory = kj::str(".");
  KJ_IF_MAYBE (slash, path.findLast('/')) directory = kj::str(path.slice(0, *slash), "/");
  auto text = kj::heapString(bytes.asPtr().asChars());
  parseSetup(text, directory, message.initRoot<rpc::Configuration>());
}

}  // namespace bothy
