#include "terminal/terminal-registry.h"

#include "process/marked-fd.h"
#include "process/output-pump.h"
#include "schema/limits.capnp.h"
#include "terminal/terminfo.h"

namespace bothy {

namespace {

constexpr size_t MAX_TITLE_BYTES = 256;

// What each has in any case is there in the smallest machine, also where screens have all of theirs.
static_assert((rpc::MAX_TERMINALS + ENDED_TERMINALS + LEFT_TERMINALS) * LEAST_SCROLLBACK_BYTES +
                  2 * rpc::MAX_PROCESSES * OutputPump::LEAST_TAIL_BYTES <=
              LEAST_OUTPUT_BYTES - LEAST_OUTPUT_BYTES / OutputBudget::SCREENS_PART);

kj::String titleOf(const SpawnRequest& request) {
  auto text = kj::strArray(request.arguments, " ");
  return text.size() <= MAX_TITLE_BYTES ? kj::mv(text) : kj::str(text.slice(0, MAX_TITLE_BYTES));
}

// The others keep their order.
template <typename T>
void remove(kj::Vector<T>& items, T item) {
  for (size_t i = 0; i < items.size(); i++) {
    if (items[i] != item) continue;
    for (size_t j = i + 1; j < items.size(); j++) items[j - 1] = items[j];
    items.removeLast();
    break;
  }
}

}  // namespace

TerminalRegistry::TerminalRegistry(Programs& programs)
    : TerminalRegistry(programs, systemTerminfoDirectories()) {}

TerminalRegistry::TerminalRegistry(Programs& programs, kj::Array<kj::String> terminfoDirectories)
    : programs(programs),
      terminfoDirectories(kj::mv(terminfoDirectories)),
      pace(kj::refcounted<UnwatchedPace>(programs.timer)) {}

TerminalRegistry::~TerminalRegistry() noexcept(false) {
  for (auto& entry : terminals) entry.value.terminal->disown();
  for (auto terminal : left) terminal->disown();
}

kj::Promise<kj::OneOf<kj::Own<Terminal>, StartFailure>> TerminalRegistry::open(
    rpc::Command::Reader command, WindowSize size, kj::StringPtr term, ClientActions& actions) {
  return start(command, size, term, kj::String(), actions.asked(ProgramKind::TERMINAL, command));
}

kj::Promise<kj::Own<RequestedStarts::Result>> TerminalRegistry::openOnce(
    kj::StringPtr requestId, rpc::Command::Reader command, WindowSize size, kj::StringPtr term,
    ClientActions& actions) {
  using Outcome = RequestedStarts::Result::Outcome;
  return requested->once(requestId, [&]() {
    auto asked = actions.asked(ProgramKind::TERMINAL, command);
    return start(command, size, term, kj::str(requestId), kj::mv(asked)).then([](auto&& started) {
      KJ_IF_MAYBE (failure, started.template tryGet<StartFailure>()) {
        return Outcome(kj::mv(*failure));
      }
      return Outcome(started.template get<kj::Own<Terminal>>()->id);
    });
  });
}

// Of its parameters it uses only `requestId` once it has returned.
kj::Promise<kj::OneOf<kj::Own<Terminal>, StartFailure>> TerminalRegistry::start(
    rpc::Command::Reader command, WindowSize size, kj::StringPtr term, kj::String requestId,
    kj::Own<AskedStart> asked) {
  using Outcome = kj::OneOf<kj::Own<Terminal>, StartFailure>;
  if (countRunning() + countLeftAndWatched() + starting >= rpc::MAX_TERMINALS) {
    asked->failed();
    co_return Outcome(
        StartFailure{rpc::StartFailure::Reason::LIMIT_REACHED, FailureText("maxTerminals"_kj)});
  }
  starting++;
  KJ_DEFER(starting--);

  auto prepared = prepareCommand(programs, command, EmptyArguments::LOGIN_SHELL,
                                 chooseTerm(term, terminfoDirectories, programs.anybodys));
  KJ_IF_MAYBE (failure, prepared.tryGet<StartFailure>()) {
    asked->failed();
    co_return Outcome(kj::mv(*failure));
  }
  auto& request = prepared.get<SpawnRequest>();
  auto title = titleOf(request);

  const auto whose = programs.touches.markOf(request.user());
  auto pty = kj::heap<Pty>(programs.eventPort, size);
  // Of the program itself once that is known: a start may be given up before.
  pty->belongTo(whose);
  MarkedFd programSide(pty->openProgramSide(request.credentials.map(
                           [](const SpawnRequest::Credentials& user) { return user.uid; })),
                       whose);
  for (int& fd : request.standardFds) fd = programSide.get();
  request.controllingTerminal = SpawnRequest::ControllingTerminal::STANDARD_INPUT;
  request.kind = ProgramKind::TERMINAL;
  auto spawning = ChildProcess::start(programs, kj::mv(request));
  programSide.close();  // the child has its own by now

  auto outcome = co_await spawning;
  KJ_IF_MAYBE (failure, outcome.tryGet<StartFailure>()) {
    asked->failed();
    co_return Outcome(kj::mv(*failure));
  }
  pty->belongTo(outcome.get<kj::Own<ChildProcess>>()->mark());
  uint64_t id = nextId++;
  auto terminal = kj::refcounted<Terminal>(programs, static_cast<Terminal::Owner&>(*this),
                                           kj::addRef(*pace), id, kj::mv(title), size, kj::mv(pty),
                                           kj::mv(outcome.get<kj::Own<ChildProcess>>()));
  auto result = kj::addRef(*terminal);
  terminals.insert(id, Entry{kj::mv(terminal), kj::mv(requestId)});
  asked->started(id);
  co_return Outcome(kj::mv(result));
}

kj::Maybe<kj::Own<Terminal>> TerminalRegistry::find(uint64_t id) {
  return terminals.find(id).map([](Entry& entry) { return kj::addRef(*entry.terminal); });
}

kj::Array<Terminal*> TerminalRegistry::list() {
  return KJ_MAP(entry, terminals) {
    return entry.value.terminal.get();
  };
}

void TerminalRegistry::completed(Terminal& terminal) {
  if (terminals.find(terminal.id) == nullptr) return;
  ended.add(terminal.id);
  if (ended.size() > ENDED_TERMINALS) forget(ended.front());
}

void TerminalRegistry::closed(Terminal& terminal) {
  forget(terminal.id);
}

void TerminalRegistry::unwatched(Terminal& terminal) {
  releaseLeft();
}

void TerminalRegistry::gone(Terminal& terminal) {
  remove(left, &terminal);
}

kj::uint TerminalRegistry::countRunning() {
  kj::uint result = 0;
  for (auto& entry : terminals) {
    if (entry.value.terminal->status() == nullptr) result++;
  }
  return result;
}

kj::uint TerminalRegistry::countLeftAndWatched() {
  kj::uint result = 0;
  for (auto terminal : left) {
    if (terminal->isWatched()) result++;
  }
  return result;
}

void TerminalRegistry::forget(uint64_t id) {
  remove(ended, id);
  KJ_IF_MAYBE (entry, terminals.find(id)) {
    left.add(entry->terminal.get());
    if (entry->requestId.size() > 0) requested->programIsGone(entry->requestId);
    // Dropped in a later turn: it may be the terminal that calls.
    programs.runInBackground(kj::evalLater([terminal = kj::mv(entry->terminal)]() {}));
    terminals.erase(id);
    releaseLeft();
  }
}

void TerminalRegistry::releaseLeft() {
  size_t unwatched = left.size() - countLeftAndWatched();
  for (size_t i = 0; unwatched > LEFT_TERMINALS;) {
    auto terminal = left[i];
    if (terminal->isWatched()) {
      i++;
      continue;
    }
    terminal->release();
    terminal->disown();
    remove(left, terminal);
    unwatched--;
  }
}

}  // namespace bothy
