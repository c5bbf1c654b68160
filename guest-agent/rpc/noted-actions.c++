#include "rpc/noted-actions.h"

#include <kj/vector.h>

#include "actions/action-line.h"

namespace bothy {
namespace {

using AnyContext = capnp::CallContext<capnp::AnyPointer, capnp::AnyPointer>;

// Passes all calls on, and notes those of its first method, which begins something, when they have succeeded.
template <typename Interface>
class Noted: public Interface::Server {
public:
  Noted(typename Interface::Server& inner, kj::Own<LaneNotes> notes)
      : notes(kj::mv(notes)), inner(inner) {}

  using Result = typename Interface::Server::DispatchCallResult;
  Result dispatchCall(uint64_t interfaceId, uint16_t methodId, AnyContext context) override {
    if (interfaceId != capnp::typeId<Interface>() || methodId != BEGINNING) {
      return inner.dispatchCall(interfaceId, methodId, context);
    }
    // Whoever serves the call may release its parameters.
    auto line = describe(context);
    auto result = inner.dispatchCall(interfaceId, methodId, context);
    result.promise = result.promise.then([this, context, line = kj::mv(line)]() mutable {
      if (addOutcome(line, context)) notes->add(line);
    });
    return result;
  }

protected:
  static constexpr uint16_t BEGINNING = 0;
  kj::Own<LaneNotes> notes;

  virtual ActionLine describe(AnyContext context) = 0;
  // False: nothing has begun.
  virtual bool addOutcome(ActionLine& line, AnyContext context) = 0;

private:
  typename Interface::Server& inner;
};

class NotedTerminals final: public Noted<rpc::Terminals> {
public:
  using Noted::Noted;

private:
  ActionLine describe(AnyContext context) override {
    auto params = context.getParams().getAs<rpc::Terminals::OpenParams>();
    return notes->begin("terminal opened", params.getCommand());
  }
  bool addOutcome(ActionLine& line, AnyContext context) override {
    auto results = context.getResults().getAs<rpc::Terminals::OpenResults>();
    line.id("terminal", results.getId());
    return results.getOutcome().isOpened();
  }
};

class NotedProcesses final: public Noted<rpc::Processes> {
public:
  using Noted::Noted;

private:
  ActionLine describe(AnyContext context) override {
    auto params = context.getParams().getAs<rpc::Processes::ExecParams>();
    return notes->begin("program started", params.getCommand());
  }
  bool addOutcome(ActionLine& line, AnyContext context) override {
    auto results = context.getResults().getAs<rpc::Processes::ExecResults>();
    // 0: it is not kept.
    if (results.getId() != 0) line.id("program", results.getId());
    return results.getOutcome().isStarted();
  }
};

class NotedSystem final: public rpc::System::Server {
public:
  NotedSystem(rpc::System::Server& inner, kj::Own<LaneNotes> notes)
      : inner(inner), notes(kj::mv(notes)) {}

  DispatchCallResult dispatchCall(uint64_t interfaceId, uint16_t methodId,
                                  AnyContext context) override {
    // Before: once the machine ends nothing is noted any more.
    if (methodId == POWER_OFF) note("machine is powered off");
    if (methodId == REBOOT) note("machine is rebooted");
    return inner.dispatchCall(interfaceId, methodId, context);
  }

private:
  static constexpr uint16_t POWER_OFF = 2, REBOOT = 3;  // in system.capnp
  rpc::System::Server& inner;
  kj::Own<LaneNotes> notes;

  void note(kj::StringPtr what) {
    auto line = notes->begin(what);
    notes->add(line);
  }
};

}  // namespace

LaneNotes::LaneNotes(ActionNotes notes, const LaneGrant& grant)
    : notes(notes),
      lane(grant.lane),
      session(kj::str(grant.session)),
      actor(kj::str(grant.actor)) {}

ActionLine LaneNotes::begin(kj::StringPtr what) const {
  ActionLine line(notes.clock.now(), what);
  line.text("session", session).text("actor", actor).id("lane", lane);
  return line;
}

ActionLine LaneNotes::begin(kj::StringPtr what, rpc::Command::Reader command) const {
  auto line = begin(what);
  kj::Vector<kj::StringPtr> argv;
  for (auto argument : command.getArgv()) {
    argv.add(argument);
    if (argv.size() > ActionLine::MAX_LIST_BYTES) break;  // no more fit
  }
  line.text("user", command.getUser()).list("command", argv);
  return line;
}

rpc::Terminals::Client noteTerminals(rpc::Terminals::Server& inner, kj::Own<LaneNotes> notes) {
  return kj::heap<NotedTerminals>(inner, kj::mv(notes));
}

rpc::Processes::Client notePrograms(rpc::Processes::Server& inner, kj::Own<LaneNotes> notes) {
  return kj::heap<NotedProcesses>(inner, kj::mv(notes));
}

rpc::System::Client noteMachine(rpc::System::Server& inner, kj::Own<LaneNotes> notes) {
  return kj::heap<NotedSystem>(inner, kj::mv(notes));
}

}  // namespace bothy
