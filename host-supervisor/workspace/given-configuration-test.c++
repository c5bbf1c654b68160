#include "workspace/given-configuration.h"

#include <string.h>

#include <kj/debug.h>

#include <catch2/catch_test_macros.hpp>

#include "schema/limits.capnp.h"
#include "schema/workspace.capnp.h"

namespace bothy {
namespace {

struct Spec {
  capnp::MallocMessageBuilder message;
  rpc::WorkspaceSpec::Builder spec = message.initRoot<rpc::WorkspaceSpec>();

  void variable(kj::StringPtr name, kj::StringPtr value = "x") {
    auto list = spec.initConfiguration().initEnvironment(1);
    list[0].setName(name);
    list[0].setValue(value);
  }
  void label(kj::StringPtr key, kj::StringPtr value) {
    auto list = spec.initLabels(1);
    list[0].setKey(key);
    list[0].setValue(value);
  }
  rpc::SetupStep::Builder step() {
    auto steps = spec.getConfiguration().initSetup().initSteps(1);
    steps[0].setName("step");
    return steps[0];
  }
  rpc::SetupStep::Command::Builder command() {
    auto command = step().initCommand();
    command.initArgv(1).set(0, "true");
    return command;
  }
  rpc::SetupStep::File::Builder file(kj::StringPtr path = "/etc/x") {
    auto file = step().initFile();
    file.setPath(path);
    return file;
  }
  // Empty: it is good.
  kj::String fault() {
    auto result = read();
    KJ_IF_MAYBE (why, result.tryGet<kj::String>()) return kj::mv(*why);
    return nullptr;
  }
  kj::OneOf<GivenConfiguration, kj::String> read() {
    return GivenConfiguration::of(spec.getLabels().asReader(), spec.getConfiguration().asReader());
  }
  GivenConfiguration good() {
    auto result = read();
    return kj::mv(result.get<GivenConfiguration>());
  }
};

kj::String times(char c, size_t count) {
  return kj::str(kj::repeat(c, count));
}

bool says(kj::StringPtr text, kj::StringPtr part) {
  return strstr(text.cStr(), part.cStr()) != nullptr;
}

TEST_CASE("a spec that asks for nothing has no configuration") {
  Spec s;
  auto given = s.good();
  CHECK(given.content.size() == 0);
  CHECK(given.labels == "");
  CHECK(given.canonicalText() == "");
}

TEST_CASE("variables are refused with the name and the limit") {
  for (auto name : {""_kj, "1A"_kj, "A B"_kj, "A=B"_kj, "ä"_kj}) {
    Spec s;
    s.variable(name);
    CHECK(s.fault().startsWith("environment has '"));
  }
  for (auto name :
       {"HOME"_kj, "USER"_kj, "LOGNAME"_kj, "SHELL"_kj, "TERM"_kj, "XDG_RUNTIME_DIR"_kj}) {
    Spec s;
    s.variable(name);
    CHECK(says(s.fault(), "the user's own"));
  }
  Spec nul;
  nul.variable("A", kj::StringPtr("a\0b", 3));
  CHECK(says(nul.fault(), "NUL"));
  Spec large;
  large.variable("A", times('x', rpc::MAX_ENVIRONMENT_BYTES - 3));
  CHECK(large.fault() == "");
  large.variable("A", times('x', rpc::MAX_ENVIRONMENT_BYTES - 2));
  CHECK(large.fault() == "environment has 32769 bytes: it must be at most 32768");
  Spec twice;
  auto list = twice.spec.initConfiguration().initEnvironment(2);
  for (auto variable : list) variable.setName("_a9");
  CHECK(twice.fault() == "environment has _a9 twice");
  Spec many;
  auto all = many.spec.initConfiguration().initEnvironment(rpc::MAX_VARIABLES + 1);
  for (auto i : kj::indices(all)) all[i].setName(kj::str("A", i));
  CHECK(many.fault() == "environment has 257 variables: it must be at most 256");
}

TEST_CASE("labels are refused with the key and the limit, and kept by key") {
  for (auto key : {""_kj, "A"_kj, "-a"_kj, "a."_kj, "a b"_kj, "a=b"_kj}) {
    Spec s;
    s.label(key, "x");
    CHECK(s.fault().startsWith("labels has '"));
  }
  Spec s;
  s.label(times('k', rpc::MAX_LABEL_KEY_BYTES), times('v', rpc::MAX_LABEL_VALUE_BYTES));
  CHECK(s.fault() == "");
  s.label(times('k', rpc::MAX_LABEL_KEY_BYTES + 1), "v");
  CHECK(s.fault() != "");
  s.label("k", times('v', rpc::MAX_LABEL_VALUE_BYTES + 1));
  CHECK(says(s.fault(), "at most 127 bytes"));
  s.label("k", "a\nb");
  CHECK(says(s.fault(), "printable"));
  auto two = s.spec.initLabels(2);
  two[0].setKey("team");
  two[0].setValue("a=b");
  two[1].setKey("env");
  CHECK(s.good().labels == "env=\nteam=a=b");
  two[1].setKey("team");
  CHECK(s.fault() == "labels has team twice");
  auto many = s.spec.initLabels(rpc::MAX_LABELS + 1);
  for (auto i : kj::indices(many)) many[i].setKey(kj::str("k", i));
  CHECK(s.fault() == "labels has 17 labels: it must be at most 16");
}

TEST_CASE("labels are found by key and value") {
  CHECK(hasLabels("env=\nteam=a=b", ""));
  CHECK(hasLabels("env=\nteam=a=b", "team=a=b"));
  CHECK(hasLabels("env=\nteam=a=b", "env=\nteam=a=b"));
  CHECK_FALSE(hasLabels("env=\nteam=a=b", "team=a"));
  CHECK_FALSE(hasLabels("", "team=a"));
}

TEST_CASE("steps are refused with the step, the field and the limit") {
  Spec s;
  s.step().setName("");
  CHECK(s.fault() ==
        "setup has a fault in step 1: its name is '': it must be 1 to 64 bytes of printable text");
  s.step().setName("a\x1b[31m");
  CHECK(says(s.fault(), "its name is"));
  s.step();
  CHECK(says(s.fault(), "neither a command nor a file"));
  s.command().initArgv(0);
  CHECK(says(s.fault(), "its command is empty"));
  s.command().initArgv(1).set(0, "");
  CHECK(says(s.fault(), "its command is empty"));
  s.command().setTimeoutMillis(rpc::MAX_SETUP_STEP_MILLIS + 1);
  CHECK(says(s.fault(), "at most 3600000"));
  for (auto path : {"relative"_kj, "/"_kj, "/a/"_kj, "/a/../b"_kj, "/./b"_kj, "/.."_kj}) {
    s.file(path);
    CHECK(says(s.fault(), "its path is '"));
  }
  s.file("/a/..b");
  CHECK(s.fault() == "");
  s.file().setMode(010000);
  CHECK(says(s.fault(), "its mode is 4096: it must be at most 4095"));
  s.file().setOwner(times('u', rpc::MAX_LANE_NAME_BYTES + 1));
  CHECK(says(s.fault(), "its owner is"));
  s.file().initContent(rpc::MAX_SETUP_STEP_BYTES);
  CHECK(says(s.fault(), "in step 1: it must be at most 262144"));
  auto steps = s.spec.getConfiguration().initSetup().initSteps(5);
  for (auto step : steps) {
    step.setName("s");
    step.initFile().setPath("/x");
    step.getFile().initContent(rpc::MAX_SETUP_STEP_BYTES - 100);
  }
  CHECK(says(s.fault(), "it must be at most 1048576"));
  s.spec.getConfiguration().initSetup().initSteps(rpc::MAX_SETUP_STEPS + 1);
  CHECK(s.fault() == "setup has 65 steps: it must be at most 64");
}

TEST_CASE("what is stored is read again, with an id that its steps alone decide") {
  Spec s;
  s.variable("A", "1");
  s.file("/etc/a").setContent("content"_kj.asBytes());
  auto one = s.good();
  CHECK(one.setupSteps == 1);
  StoredConfiguration stored(one.content);
  auto read = stored.get();
  CHECK(read.getEnvironment()[0].getValue() == "1");
  CHECK(read.getSetup().getSteps()[0].getFile().getContent() == "content"_kj.asBytes());
  CHECK(read.getSetup().getSteps()[0].getFile().getMode() == 0644);
  auto id = kj::str(read.getSetup().getId());
  CHECK(id.size() == 64);
  s.spec.getConfiguration().getEnvironment()[0].setValue("2");
  auto other = s.good();
  CHECK(StoredConfiguration(other.content).get().getSetup().getId() == id);
  CHECK(one.canonicalText() != other.canonicalText());
  // Not what a client says.
  s.spec.getConfiguration().getSetup().setId("mine");
  CHECK(StoredConfiguration(s.good().content).get().getSetup().getId() == id);
  s.file("/etc/b");
  CHECK(StoredConfiguration(s.good().content).get().getSetup().getId() != id);
}

TEST_CASE("no secret is in the text by which requests are told apart") {
  Spec s;
  s.variable("A", "topsecret");
  auto text = s.good().canonicalText();
  CHECK(text.size() > 0);
  CHECK_FALSE(says(text, "topsecret"));
}

}  // namespace
}  // namespace bothy
