#include "rpc/noted-actions.h"

#include <capnp/capability.h>

namespace bothy {
namespace {

using AnyContext = capnp::CallContext<capnp::AnyPointer, capnp::AnyPointer>;

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

// The name of the number by which one is had.
kj::StringPtr nameOf(ProgramKind kind) {
  return kind == ProgramKind::TERMINAL ? "terminal"_kj : "program"_kj;
}

// What a lane for files may do.
kj::StringPtr accessOf(const LaneGrant& grant) {
  using Verb = rpc::Verb;
  const bool reads = grant.verbs.has(Verb::READ_FILES) || grant.verbs.has(Verb::READ_BENEATH);
  const bool writes = grant.verbs.has(Verb::WRITE_FILES) || grant.verbs.has(Verb::WRITE_BENEATH);
  if (reads && writes) return "read and write"_kj;
  return reads ? "read"_kj : "write"_kj;
}

}  // namespace

class LaneNotes::NotedStart final: public AskedStart {
public:
  NotedStart(kj::Own<LaneNotes> notes, ProgramKind kind, ActionLine line)
      : notes(kj::mv(notes)), kind(kind), line(kj::mv(line)) {}
  ~NotedStart() noexcept(false) {
    if (!isSettled) notes->add(line.text("outcome", "given up"));
  }
  void started(uint64_t id) override {
    isSettled = true;
    if (id != 0) line.id(nameOf(kind), id);
    notes->add(line);
  }
  void failed() override { isSettled = true; }

private:
  const kj::Own<LaneNotes> notes;
  const ProgramKind kind;
  ActionLine line;
  bool isSettled = false;
};

LaneNotes::LaneNotes(ActionNotes notes, const LaneGrant& grant)
    : notes(notes), whose{grant.lane, kj::str(grant.session), kj::str(grant.actor)} {}

kj::Own<AskedStart> LaneNotes::asked(ProgramKind kind, rpc::Command::Reader command) {
  auto line = begin(kind == ProgramKind::TERMINAL ? "terminal opened" : "program started");
  line.text("user", command.getUser()).list("command", command.getArgv());
  return kj::heap<NotedStart>(addRef(), kind, kj::mv(line));
}

LaneNotes::~LaneNotes() noexcept(false) {
  tellLeftOut();
}

void LaneNotes::tellLeftOut() {
  if (leftOut == 0) return;
  auto line = begin("actions left out");
  add(line.number("count", leftOut));
  leftOut = 0;
}

void LaneNotes::did(kj::StringPtr what, ProgramKind kind, uint64_t id) {
  const auto now = notes.clock.now();
  // The clock may be set back.
  if (now < periodBegan || now - periodBegan >= DEEDS_PERIOD) {
    tellLeftOut();
    periodBegan = now;
    deeds = 0;
  }
  if (deeds >= MAX_DEEDS) {
    ++leftOut;
    return;
  }
  if (!admits()) return;
  ++deeds;
  auto line = begin(what);
  add(line.id(nameOf(kind), id));
}

ActionLine LaneNotes::begin(kj::StringPtr what) const {
  return whose.begin(notes.clock.now(), what);
}

ActionLine LaneNotes::Whose::begin(kj::Date now, kj::StringPtr what) const {
  ActionLine line(now, what);
  line.text("session", session).text("actor", actor).id("lane", lane);
  return line;
}

// Made when the client has its first answer.
void LaneNotes::addOpened(const LaneGrant& grant) const {
  kj::Maybe<kj::String> beneath;
  if (grant.isBeneath()) beneath = kj::heapString(grant.beneath.asChars());
  notes.log.addLater([whose = whose.clone(), now = notes.clock.now(), user = kj::str(grant.user),
                      access = accessOf(grant), beneath = kj::mv(beneath)]() {
    auto line = whose.begin(now, "files opened");
    line.text("user", user).text("access", access);
    KJ_IF_MAYBE (directory, beneath) line.text("beneath", *directory);
    return line.finish();
  });
}

FileLaneNote::FileLaneNote(ActionNotes notesParam, const LaneGrant& grant)
    : notes(kj::refcounted<LaneNotes>(notesParam, grant)), isNoted(notes->admits()) {
  if (isNoted) notes->addOpened(grant);
}

FileLaneNote::~FileLaneNote() noexcept(false) {
  if (!isNoted) return;
  auto line = notes->begin("files closed");
  KJ_IF_MAYBE (counts, counted) {
    line.number("filesRead", counts->filesRead)
        .number("bytesRead", counts->bytesRead)
        .number("filesWritten", counts->filesWritten)
        .number("bytesWritten", counts->bytesWritten)
        .number("changes", counts->changes);
  } else {
    line.text("outcome", "what was done is not known");
  }
  notes->add(line);
}

rpc::System::Client noteMachine(rpc::System::Server& inner, kj::Own<LaneNotes> notes) {
  return kj::heap<NotedSystem>(inner, kj::mv(notes));
}

}  // namespace bothy
