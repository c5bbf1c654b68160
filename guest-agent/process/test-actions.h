#pragma once

#include <kj/vector.h>

#include "process/client-actions.h"

namespace bothy {

// What a test's client did, a line each.
struct TestActions final: public ClientActions {
  kj::Vector<kj::String> lines;

  kj::Own<AskedStart> asked(ProgramKind kind, rpc::Command::Reader command) override {
    auto argv = command.getArgv();
    return kj::heap<Asked>(kj::addRef(*this),
                           kj::str(nameOf(kind), ' ', argv.size() > 0 ? argv[0] : ""_kj));
  }
  void did(kj::StringPtr what, ProgramKind kind, uint64_t id) override {
    lines.add(kj::str(what, ' ', nameOf(kind), ' ', id));
  }
  kj::Own<TestActions> addRef() { return kj::addRef(*this); }
  kj::String text() { return kj::strArray(lines, "; "); }

private:
  static kj::StringPtr nameOf(ProgramKind kind) {
    return kind == ProgramKind::TERMINAL ? "terminal"_kj : "command"_kj;
  }

  class Asked final: public AskedStart {
  public:
    Asked(kj::Own<TestActions> actions, kj::String what)
        : actions(kj::mv(actions)), what(kj::mv(what)) {}
    ~Asked() noexcept(false) {
      if (!isSettled) actions->lines.add(kj::str("gave up ", what));
    }
    void started(uint64_t id) override {
      isSettled = true;
      actions->lines.add(kj::str("started ", what, ' ', id));
    }
    void failed() override { isSettled = true; }

  private:
    kj::Own<TestActions> actions;
    kj::String what;
    bool isSettled = false;
  };
};

}  // namespace bothy
