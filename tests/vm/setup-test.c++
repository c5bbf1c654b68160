// Workspaces that are configured: variables of their programs, and steps that set them up once.  All scenarios share a host.

#include <kj/debug.h>
#include <kj/filesystem.h>
#include <signal.h>
#include <string.h>
#include <catch2/catch_test_macros.hpp>

#include "support/host-program.h"
#include "support/test-workspace.h"

namespace bothy {
namespace {

bool has(kj::StringPtr text, kj::StringPtr part) {
  return strstr(text.cStr(), part.cStr()) != nullptr;
}

// `bothy`, as a person calls it.
FinishedProgram bothy(SupervisedHost& host, std::initializer_list<kj::StringPtr> arguments) {
  kj::Vector<kj::StringPtr> words;
  auto socket = host.socket();
  for (auto word : {kj::StringPtr(BOTHY_PROGRAM), "--socket"_kj, socket.asPtr()}) words.add(word);
  words.addAll(arguments);
  return runProgram(words);
}

kj::String inside(SupervisedHost& host, kj::StringPtr name, kj::StringPtr script,
                  kj::StringPtr user = "user"_kj) {
  auto end = bothy(host, {"exec"_kj, "-u"_kj, user, name, "--"_kj, "/bin/sh"_kj, "-c"_kj, script});
  return kj::mv(end.out);
}

void waitUntil(SupervisedHost& host, kj::FunctionParam<bool()> isSo, kj::StringPtr what) {
  const auto begun = host.now();
  while (!isSo()) {
    INFO(what.cStr());
    REQUIRE(host.now() - begun < SupervisedHost::BOOT_LIMIT);
    host.timer.afterDelay(200 * kj::MILLISECONDS).wait(host.scope);
  }
}

// It serves.
void await(SupervisedHost& host) {
  host.wait(host.supervisor().versionRequest().send().ignoreResult(), "bothyd");
}

void step(rpc::SetupStep::Builder step, kj::StringPtr name, kj::StringPtr script, bool isRoot) {
  step.setName(name);
  auto command = step.initCommand();
  command.setRoot(isRoot);
  auto argv = command.initArgv(3);
  argv.set(0, "/bin/sh");
  argv.set(1, "-c");
  argv.set(2, script);
}

void checkFailureAndRetry(SupervisedHost& host) {
  auto file = kj::str(host.directory(), "/setup.json");
  kj::newDiskFilesystem()
      ->getRoot()
      .openFile(kj::Path::parse(file.slice(1)), kj::WriteMode::CREATE)
      ->writeAll(R"({"steps": [
        {"name": "Settings", "file": "/etc/tool/tool.conf", "content": "a=b\n", "mode": "0600"},
        {"name": "Checking", "run": "echo it is wrong >&2; test -e /home/user/mended || exit 7", "as": "root"},
        {"name": "Greeting", "run": "echo $GREETING > ~/greeting"}]})");
  auto created =
      bothy(host, {"create"_kj, "--disk"_kj, "256M"_kj, "--env"_kj, "GREETING=hello you"_kj,
                   "--label"_kj, "team=a"_kj, "--setup"_kj, file, "one"_kj});
  INFO(created.err.cStr());
  CHECK(created.status == 1);
  CHECK(has(created.err, "Settings (1/3)"));
  CHECK(has(created.err, "one is running"));
  CHECK(has(created.err, "has failed: step 2 (Checking): it exited with 7"));
  // It is reached, and what was done is.
  CHECK(inside(host, "one", "cat /etc/tool/tool.conf; stat -c %a,%U /etc/tool/tool.conf", "root") ==
        "a=b\n600,root\n");
  auto log = bothy(host, {"setup"_kj, "--log"_kj, "2"_kj, "one"_kj});
  INFO(log.err.cStr());
  CHECK(log.out == "it is wrong\n");
  CHECK(inside(host, "one", "cat /var/log/bothy/setup/2.log", "root") == "it is wrong\n");
  CHECK(inside(host, "one", "cat /var/log/bothy/setup/2.log") == "");
  CHECK(inside(host, "one", "cat /var/lib/bothy/setup/journal") == "");
  CHECK(bothy(host, {"setup"_kj, "one"_kj}).status == 1);
  // Nothing goes on by itself, also over a boot.
  CHECK(bothy(host, {"stop"_kj, "one"_kj}).status == 0);
  CHECK(bothy(host, {"start"_kj, "one"_kj}).status == 1);
  CHECK(inside(host, "one", "cat greeting") == "");

  inside(host, "one", "touch ~/mended");
  auto retried = bothy(host, {"setup"_kj, "--retry"_kj, "--wait"_kj, "one"_kj});
  INFO(retried.out.cStr());
  CHECK(retried.status == 0);
  CHECK(inside(host, "one", "cat greeting") == "hello you\n");
  CHECK(bothy(host, {"setup"_kj, "--retry"_kj, "one"_kj}).status == 1);

  // Of every program and terminal, whoever's it is.
  CHECK(inside(host, "one", "echo $GREETING") == "hello you\n");
  CHECK(inside(host, "one", "echo $GREETING", "root") == "hello you\n");
  CHECK(has(bothy(host, {"exec"_kj, "-t"_kj, "one"_kj, "--"_kj, "printenv"_kj, "GREETING"_kj}).out,
            "hello you"));
  CHECK(has(bothy(host, {"ls"_kj, "--label"_kj, "team=a"_kj}).out, "team=a"));
  CHECK(bothy(host, {"ls"_kj, "--label"_kj, "team=b"_kj}).out == "");
  // No word of it is in the log of bothyd.
  CHECK_FALSE(has(hostOutput({"/bin/cat"_kj, host.log()}), "hello you"));
  CHECK(bothy(host, {"rm"_kj, "-f"_kj, "one"_kj}).status == 0);
}

void checkCrashes(SupervisedHost& host) {
  auto request = host.supervisor().createRequest();
  auto spec = request.initSpec();
  spec.setName("two");
  spec.setDiskMib(256);
  auto steps = spec.initConfiguration().initSetup().initSteps(3);
  // Nobody but the agent sees to it that what the first has written is on the disk.
  step(steps[0], "One", "echo one >> /home/user/first", false);
  step(steps[1], "Two",
       "echo two >> /home/user/order; sync /home/user/order; while ! test -e /home/user/go; do "
       "sleep 0.2; done",
       true);
  step(steps[2], "Three", "echo three >> /home/user/order", true);
  auto creation =
      request.send().ignoreResult().catch_([](kj::Exception&&) {}).eagerlyEvaluate(nullptr);
  auto order = [&]() { return inside(host, "two", "cat first order"); };
  waitUntil(host, [&]() { return order() == "one\ntwo\n"; }, "the second step");
  CHECK_FALSE(creation.poll(host.scope));

  // bothyd is killed: the step goes on.
  host.restart(SIGKILL);
  await(host);
  auto shown = bothy(host, {"setup"_kj, "two"_kj});
  INFO(shown.out.cStr());
  CHECK(has(shown.out, "1     done     One"));
  CHECK(has(shown.out, "2     running  Two"));
  CHECK(order() == "one\ntwo\n");

  // The machine reboots at once: the step that was running is done again, and none before it.
  inside(host, "two", "echo b > /proc/sysrq-trigger", "root");
  waitUntil(host, [&]() { return order() == "one\ntwo\ntwo\n"; }, "the second step, again");

  // It ends in order, and goes on with the next start.
  CHECK(bothy(host, {"stop"_kj, "two"_kj}).status == 0);
  inside(host, "two", "true");
  auto restarted = host.supervisor().startRequest();
  restarted.setName("two");
  auto starting = restarted.send().ignoreResult().eagerlyEvaluate(nullptr);
  waitUntil(
      host, [&]() { return order() == "one\ntwo\ntwo\ntwo\n"; }, "the second step, a third time");
  inside(host, "two", "touch go");
  host.wait(kj::mv(starting), "the end of the set-up");
  CHECK(order() == "one\ntwo\ntwo\ntwo\nthree\n");
  auto waited = bothy(host, {"setup"_kj, "--wait"_kj, "two"_kj});
  CHECK(waited.status == 0);
  CHECK(has(waited.out, "3     done   Three"));
  CHECK(bothy(host, {"rm"_kj, "-f"_kj, "two"_kj}).status == 0);
}

// A step stands still with its machine, and goes on where it was; without the memory it is done again, and none before it.
void checkHibernations(SupervisedHost& host) {
  auto request = host.supervisor().createRequest();
  auto spec = request.initSpec();
  spec.setName("three");
  spec.setDiskMib(256);
  auto steps = spec.initConfiguration().initSetup().initSteps(3);
  step(steps[0], "One", "echo one >> /home/user/order", false);
  step(steps[1], "Two",
       "echo two >> /home/user/order; sync; i=0; while ! test -e /home/user/go; do i=$((i+1)); "
       "echo turn $i; sleep 0.1; done",
       true);
  step(steps[2], "Three", "echo three >> /home/user/order", true);
  auto creation =
      request.send().ignoreResult().catch_([](kj::Exception&&) {}).eagerlyEvaluate(nullptr);
  auto order = [&]() { return inside(host, "three", "cat order"); };
  waitUntil(host, [&]() { return order() == "one\ntwo\n"; }, "the second step");

  CHECK(bothy(host, {"hibernate"_kj, "three"_kj}).status == 0);
  auto shown = bothy(host, {"setup"_kj, "three"_kj});
  INFO(shown.out.cStr());
  CHECK(has(shown.out, "1     done     One"));
  CHECK(has(shown.out, "2     pending  Two"));
  CHECK(bothy(host, {"resume"_kj, "three"_kj}).status == 0);
  CHECK(order() == "one\ntwo\n");
  waitUntil(
      host, [&]() { return has(bothy(host, {"setup"_kj, "three"_kj}).out, "running  Two"); },
      "that it is told how the second step goes on");
  // No turn of its loop is lost or done twice.
  CHECK(inside(host, "three",
               "cp /var/log/bothy/setup/2.log log; seq -f 'turn %g' $(wc -l < log) | cmp - log && "
               "echo same",
               "root") == "same\n");

  // Its memory is lost.
  CHECK(bothy(host, {"hibernate"_kj, "three"_kj}).status == 0);
  auto files = kj::str(host.directory(), "/state/volumes/");
  CHECK(runProgram({"/usr/bin/find"_kj, files, "-name"_kj, "*.memory"_kj, "-delete"_kj}).status ==
        0);
  auto waking = host.supervisor().startRequest();
  waking.setName("three");
  auto woken = waking.send().ignoreResult().eagerlyEvaluate(nullptr);
  waitUntil(host, [&]() { return order() == "one\ntwo\ntwo\n"; }, "the second step, again");
  inside(host, "three", "touch go");
  host.wait(kj::mv(woken), "the end of the set-up");
  CHECK(order() == "one\ntwo\ntwo\nthree\n");
  CHECK(bothy(host, {"setup"_kj, "--wait"_kj, "three"_kj}).status == 0);
  CHECK(bothy(host, {"rm"_kj, "-f"_kj, "three"_kj}).status == 0);
}

TEST_CASE("P28 P55 workspaces are set up once, over failures, kills and reboots") {
  SupervisedHost host;
  await(host);
  SECTION("a step fails, and is done again when it is asked for") {
    checkFailureAndRetry(host);
  }
  SECTION("bothyd is killed within a step, and the machine reboots and stops within it") {
    checkCrashes(host);
  }
  SECTION("it is hibernated within a step") {
    checkHibernations(host);
  }
}

}  // namespace
}  // namespace bothy
