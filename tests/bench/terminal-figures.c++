#include "bench/terminal-figures.h"

#include "bench/file-workers.h"
#include "schema/limits.capnp.h"

namespace bothy {
namespace {

constexpr uint ATTACHMENTS = 50;
constexpr uint FLOODS = 9;
constexpr uint64_t FLOOD_BYTES = 16 << 20;
constexpr uint KEPT_TERMINALS[] = {1, 50, 250};
constexpr double KIBIBYTE = 1024, MEBIBYTE = 1 << 20;

// One whose scrollback is full, and that waits.
kj::Own<TestTerminal> fullTerminal(TestWorkspace& workspace) {
  constexpr kj::StringPtr SCRIPT = "seq 300000; printf '\\033[31mfull\\033[m'; exec cat"_kj;
  auto terminal = kj::heap<TestTerminal>(
      workspace, TestTerminal::Options{.argv = {"/bin/sh"_kj, "-c"_kj, SCRIPT}});
  terminal->waitForText("full");
  return terminal;
}

void attachments(kj::Vector<Row>& rows, TestWorkspace& workspace) {
  // The floor is what it takes to be sent all that the scrollback has.
  auto& row = addRow(rows, "attach to a full scrollback", "ms");
  auto full = fullTerminal(workspace);
  for (uint i = 0; i < ATTACHMENTS; ++i) {
    row.samples.add(milliseconds([&]() {
      TestTerminal second(TestTerminal::Past::SCREEN, *full);
      KJ_REQUIRE(second.record.screen.line(23) == "full");
    }));
    row.floor.add(milliseconds([&]() {
      TestTerminal second(TestTerminal::Past::BYTES, *full);
      second.waitUntil([&]() { return second.record.received >= rpc::SCROLLBACK_BYTES; },
                       "the scrollback");
      KJ_REQUIRE(second.record.screen.line(23) == "full");
    }));
  }
}

void floods(kj::Vector<Row>& rows, TestWorkspace& workspace) {
  workspace.shell(kj::str("yes 'a line of a log, of which there are many' | head -c ", FLOOD_BYTES,
                          " > flood"));
  auto& row = addRow(rows, "output of a terminal", "MiB/s", nullptr, Row::Better::HIGHER);
  for (uint i = 0; i < FLOODS; ++i) {
    TestTerminal terminal(
        workspace,
        {.argv = {"/bin/sh"_kj, "-c"_kj, "stty raw -echo; echo go; read x; exec cat flood"_kj}});
    terminal.record.keep = 0;
    terminal.waitForText("go");
    auto spent = milliseconds([&]() {
      terminal.type("\n");
      terminal.waitForExit();
    });
    KJ_REQUIRE(terminal.record.received >= FLOOD_BYTES);
    row.samples.add(FLOOD_BYTES / MEBIBYTE / (spent / 1000));
  }
}

// Resident memory of the file workers, in bytes.
double workerBytes(TestWorkspace& workspace) {
  return sumOfFileWorkers(workspace, "status", "/^VmRSS:/ { t += $2 }") * KIBIBYTE;
}

// Of the agent alone, and with a file worker that has answered a call.
void memory(kj::Vector<Row>& rows, TestWorkspace& workspace) {
  kj::Vector<kj::Own<TestTerminal>> terminals;
  kj::Vector<double> agentBytes;
  auto files = workspace.files();
  for (auto count : KEPT_TERMINALS) {
    while (terminals.size() < count) {
      terminals.add(kj::heap<TestTerminal>(
          workspace,
          TestTerminal::Options{.argv = {"/bin/sh"_kj, "-c"_kj, "echo go; exec cat"_kj}}));
      terminals.back()->waitForText("go");
    }
    auto request = files.statRequest();
    request.setPath("/"_kj.asBytes());
    workspace.host.wait(request.send().dropPipeline().ignoreResult(), "a call");
    agentBytes.add(static_cast<double>(workspace.health().getAgentMemoryBytes()));
    auto name = kj::str("agent memory, ", count, count == 1 ? " terminal" : " terminals");
    addRow(rows, name, "MiB").samples.add(agentBytes.back() / MEBIBYTE);
    addRow(rows, kj::str(name, ", file worker"), "MiB")
        .samples.add((agentBytes.back() + workerBytes(workspace)) / MEBIBYTE);
  }
  const auto grown = kj::max(0.0, agentBytes.back() - agentBytes[0]);
  addRow(rows, "agent memory, a terminal", "KiB")
      .samples.add(grown / KIBIBYTE / (terminals.size() - KEPT_TERMINALS[0]));
  for (auto& terminal : terminals) {
    workspace.host.wait(terminal->client().closeRequest().send().ignoreResult(), "its end");
  }
}

}  // namespace

void measureTerminals(kj::Vector<Row>& rows, TestWorkspace& workspace) {
  // First: what others leave to the heap is none of theirs.
  memory(rows, workspace);
  attachments(rows, workspace);
  floods(rows, workspace);
}

}  // namespace bothy
