#include "terminal/terminal-test-world.h"

#include <kj/debug.h>
#include <sys/stat.h>
#include <catch2/catch_test_macros.hpp>

#include "process/test-actions.h"
#include "terminal/terminals-facet.h"

namespace bothy {

TerminalTestWorld::TerminalTestWorld(kj::Maybe<kj::Timer&> timer)
    : TestWorld(Trees::CGROUPS_IF_POSSIBLE, timer) {
  auto terminfo = kj::str(directory, "/etc/terminfo");
  KJ_SYSCALL(mkdir(terminfo.cStr(), 0755));
  KJ_SYSCALL(mkdir(kj::str(terminfo, "/k").cStr(), 0755));
  writeEtc("terminfo/k/known", "");
  registry = kj::heap<TerminalRegistry>(*programs, kj::arr(kj::mv(terminfo)));
  terminals = reconnect();
}

TerminalTestWorld::~TerminalTestWorld() noexcept(false) {
  disconnect();
}

rpc::Terminals::Client TerminalTestWorld::reconnect() {
  return connect<rpc::Terminals>(newTerminalsFacet(*registry, unnotedActions()));
}

TerminalTestWorld::Opened TerminalTestWorld::open(kj::StringPtr script, kj::StringPtr term,
                                                  WindowSize size) {
  auto request = terminals.openRequest();
  if (script.size() > 0) setShell(request.initCommand(), script);
  size.writeTo(request.initSize());
  request.setTerm(term);
  auto response = request.send().wait(scope);
  REQUIRE(response.getOutcome().isOpened());
  return {response.getTerminal(), response.getId()};
}

TerminalTestWorld::AttachRequest TerminalTestWorld::attachRequest(rpc::Terminal::Client terminal,
                                                                  Seen& seen) {
  auto request = terminal.attachRequest();
  request.initFrom().setOldest();
  request.setOutput(kj::heap<TestViewer>(seen));
  return request;
}

rpc::Attachment::Client TerminalTestWorld::attach(rpc::Terminal::Client terminal, Seen& seen) {
  return attachRequest(terminal, seen).send().wait(scope).getAttachment();
}

rpc::Attachment::Client TerminalTestWorld::attach(rpc::Terminal::Client terminal, Seen& seen,
                                                  WindowSize size) {
  auto request = attachRequest(terminal, seen);
  size.writeTo(request.initSize().initSize());
  return request.send().wait(scope).getAttachment();
}

kj::Promise<void> TerminalTestWorld::resizing(rpc::Attachment::Client attachment, WindowSize size) {
  auto request = attachment.resizeRequest();
  size.writeTo(request.initSize());
  return request.send().ignoreResult();
}

void TerminalTestWorld::type(rpc::Attachment::Client attachment, kj::StringPtr text) {
  auto request = attachment.writeRequest();
  request.setData(text.asBytes());
  request.send().wait(scope);
}

kj::String TerminalTestWorld::run(kj::StringPtr script, kj::StringPtr term) {
  Seen seen;
  auto attachment = attach(open(script, term).terminal, seen);
  seen.until("").wait(scope);
  return seen.text();
}

kj::uint TerminalTestWorld::count() {
  return terminals.listRequest().send().wait(scope).getTerminals().size();
}

void TerminalTestWorld::untilProduced(rpc::Terminal::Client terminal, uint64_t bytes) {
  auto& timer = io.provider->getTimer();
  const auto limit = timer.now() + 1 * kj::MINUTES;
  while (terminal.infoRequest().send().wait(scope).getInfo().getProduced() < bytes) {
    KJ_REQUIRE(timer.now() < limit, "a program has not written so much", bytes);
    timer.afterDelay(1 * kj::MILLISECONDS).wait(scope);
  }
}

}  // namespace bothy
