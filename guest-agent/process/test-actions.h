#pragma once

#include <kj/vector.h>

#include "process/processes-facet.h"

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

// For tests to which it is nothing what is told.
inline kj::Own<ClientActions> unnotedActions() {
  class Unnoted final: public ClientActions {
    class UnnotedStart final: public AskedStart {
      void started(uint64_t) override {}
      void failed() override {}
    };
    kj::Own<AskedStart> asked(ProgramKind, rpc::Command::Reader) override {
      return kj::heap<UnnotedStart>();
    }
    void did(kj::StringPtr, ProgramKind, uint64_t) override {}
  };
  return kj::refcounted<Unnoted>();
}

// The programs of one client alone.
inline kj::Own<rpc::Processes::Server> newProcessesFacet(Programs& programs) {
  return newProcessesFacets(programs)(unnotedActions());
}

}  // namespace bothy
