#include "setup/step-failure.h"

#include <string.h>

#include <kj/debug.h>

namespace bothy {
namespace {

constexpr kj::StringPtr OTHER = "other "_kj, EXITED = "exited "_kj, KILLED = "killed "_kj,
                        TIMED_OUT = "timed out"_kj;

kj::StringPtr wordsFor(rpc::StartFailure::Reason reason) {
  using Reason = rpc::StartFailure::Reason;
  switch (reason) {
    case Reason::PROGRAM_NOT_FOUND:
      return "there is no such program";
    case Reason::PROGRAM_NOT_EXECUTABLE:
      return "it cannot be executed";
    case Reason::INTERPRETER_UNUSABLE:
      return "its interpreter cannot be used";
    case Reason::NO_SUCH_USER:
      return "there is no such user";
    case Reason::INVALID_COMMAND:
      return "the command is not valid";
    case Reason::LIMIT_REACHED:
      return "too much runs in the workspace";
    case Reason::ARGUMENTS_TOO_LONG:
      return "its arguments are too long";
    case Reason::MACHINE_ENDING:
      return "the machine is ending";
    default:
      return "it cannot be started";
  }
}

}  // namespace

StepFailure StepFailure::other(kj::StringPtr text) {
  auto kept = kj::heapString(text.slice(0, kj::min(text.size(), rpc::MAX_SETUP_FAILURE_BYTES)));
  for (char& c : kept) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  return {Kind::OTHER, 0, kj::mv(kept)};
}

StepFailure StepFailure::of(const StartFailure& failure) {
  auto words = wordsFor(failure.reason);
  if (failure.errorNumber == 0) return other(kj::str(failure.subject.asPtr(), ": ", words));
  return other(
      kj::str(failure.subject.asPtr(), ": ", words, " (", strerror(failure.errorNumber), ")"));
}

kj::Maybe<StepFailure> StepFailure::of(const ExitStatus& status) {
  switch (status.kind) {
    case ExitStatus::Kind::EXITED:
      if (status.number == 0) return nullptr;
      return StepFailure{Kind::EXITED, status.number};
    case ExitStatus::Kind::KILLED:
      return StepFailure{Kind::KILLED, status.number};
    case ExitStatus::Kind::TIMED_OUT:
      return StepFailure{Kind::TIMED_OUT};
    case ExitStatus::Kind::LOST:
      break;
  }
  return other("how it ended is not known");
}

kj::String StepFailure::line() const {
  switch (kind) {
    case Kind::OTHER:
      break;
    case Kind::EXITED:
      return kj::str(EXITED, number);
    case Kind::KILLED:
      return kj::str(KILLED, number);
    case Kind::TIMED_OUT:
      return kj::str(TIMED_OUT);
  }
  return kj::str(OTHER, text);
}

kj::Maybe<StepFailure> StepFailure::parse(kj::StringPtr line) {
  if (line.startsWith(OTHER)) return other(line.slice(OTHER.size()));
  if (line == TIMED_OUT) return StepFailure{Kind::TIMED_OUT};
  for (auto kind : {Kind::EXITED, Kind::KILLED}) {
    auto word = kind == Kind::EXITED ? EXITED : KILLED;
    if (!line.startsWith(word)) continue;
    KJ_IF_MAYBE (number, line.slice(word.size()).tryParseAs<uint8_t>()) {
      return StepFailure{kind, *number};
    }
  }
  return nullptr;
}

void StepFailure::writeTo(rpc::SetupFailure::Builder builder) const {
  switch (kind) {
    case Kind::OTHER:
      builder.setOther(text);
      break;
    case Kind::EXITED:
      builder.setExited(number);
      break;
    case Kind::KILLED:
      builder.setKilled(number);
      break;
    case Kind::TIMED_OUT:
      builder.setTimedOut();
      break;
  }
}

}  // namespace bothy
