#include "supervisor/setup-file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/filesystem.h>

#include <catch2/catch_test_macros.hpp>

#include "console/failure.h"

namespace bothy {
namespace {

struct Parsed {
  capnp::MallocMessageBuilder message;
  rpc::Configuration::Builder result = message.initRoot<rpc::Configuration>();
};

kj::String faultOf(kj::StringPtr text) {
  Parsed p;
  KJ_IF_MAYBE (e, kj::runCatchingExceptions([&]() { parseSetup(text, "/tmp", p.result); })) {
    CHECK(describe(*e).exitCode == WRONG_USAGE);
    return kj::str(describe(*e).message);
  }
  return nullptr;
}

TEST_CASE("a set-up file has commands and files, in order, and variables") {
  Parsed p;
  parseSetup(R"({
    "environment": {"A": "1"},
    "steps": [
      {"name": "Installing tools", "run": "make install", "as": "root", "timeout": "5m"},
      {"name": "Cloning", "run": ["git", "clone", "x y"]},
      {"name": "Settings", "file": "/home/user/.vimrc", "content": "set nu\n", "owner": "user", "mode": "0600"}
    ]})",
             "/tmp", p.result);
  CHECK(p.result.asReader().getEnvironment()[0].getName() == "A");
  auto steps = p.result.asReader().getSetup().getSteps();
  REQUIRE(steps.size() == 3);
  auto one = steps[0].getCommand();
  CHECK(one.getArgv()[2] == "make install");
  CHECK((one.getRoot() && one.getTimeoutMillis() == 300000));
  auto two = steps[1].getCommand();
  CHECK((two.getArgv().size() == 3 && two.getArgv()[2] == "x y"));
  CHECK((!two.getRoot() && two.getTimeoutMillis() == 0));
  auto file = steps[2].getFile();
  CHECK(file.getPath() == "/home/user/.vimrc");
  CHECK(file.getContent() == "set nu\n"_kj.asBytes());
  CHECK((file.getOwner() == "user" && file.getMode() == 0600));
}

TEST_CASE("a file's content may be in a file beside the set-up file") {
  char directory[] = "/tmp/bothy-setup-file-XXXXXX";
  KJ_ASSERT(mkdtemp(directory) != nullptr);
  auto root = kj::newDiskFilesystem()->getRoot().openSubdir(
      kj::Path::parse(kj::StringPtr(directory).slice(1)), kj::WriteMode::MODIFY);
  root->openFile(kj::Path("tool"), kj::WriteMode::CREATE)->writeAll("#!/bin/sh\n");
  root->openFile(kj::Path("setup.json"), kj::WriteMode::CREATE)
      ->writeAll(
          R"({"steps": [{"name": "a", "file": "/usr/local/bin/tool", "source": "tool", "mode": "755"}]})");
  capnp::MallocMessageBuilder message;
  readSetupFile(kj::str(directory, "/setup.json"), message);
  auto file = message.getRoot<rpc::Configuration>().asReader().getSetup().getSteps()[0].getFile();
  CHECK(file.getContent() == "#!/bin/sh\n"_kj.asBytes());
  CHECK(file.getMode() == 0755);
  root = nullptr;
  kj::newDiskFilesystem()->getRoot().remove(kj::Path::parse(kj::StringPtr(directory).slice(1)));
}

TEST_CASE("what is wrong with a set-up file is told with the step") {
  CHECK(faultOf("{").startsWith("--setup: it is no JSON"));
  CHECK(faultOf("[]") == "--setup: it must be an object, {\"steps\": [...]}");
  CHECK(faultOf(R"({"stages": []})").startsWith("--setup: it has \"stages\""));
  CHECK(faultOf(R"({"steps": [1]})") == "--setup: step 1: it must be an object, {\"name\": ...}");
  CHECK(faultOf(R"({"steps": [{"name": "a"}]})") ==
        "--setup: step 1: it wants one of \"run\" and \"file\"");
  CHECK(faultOf(R"({"steps": [{"name": "a", "run": "x", "us": "root"}]})") ==
        "--setup: step 1: it has \"us\", which is none of name, run, as, timeout");
  CHECK(faultOf(R"({"steps": [{"name": "a", "run": "x", "as": "bob"}]})") ==
        "--setup: step 1: \"as\" must be \"root\" or \"user\"");
  CHECK(faultOf(R"({"steps": [{"name": "a", "run": [1]}]})") ==
        "--setup: step 1: \"run\" must be a text, or a list of texts");
  CHECK(faultOf(R"({"steps": [{"name": "a", "run": "x", "timeout": "long"}]})")
            .startsWith("--setup: step 1: \"timeout\" must be a time"));
  CHECK(faultOf(R"({"steps": [{"name": "a", "file": "/x"}]})") ==
        "--setup: step 1: a file wants one of \"content\" and \"source\"");
  CHECK(faultOf(R"({"steps": [{"name": "a", "file": "/x", "content": "", "mode": "8"}]})") ==
        "--setup: step 1: \"mode\" must be octal, like \"0644\", not 8");
  CHECK(faultOf(R"({"steps": [{"name": "a", "file": "/x", "source": "/no/such"}]})") ==
        "--setup: /no/such: No such file or directory");
}

}  // namespace
}  // namespace bothy
