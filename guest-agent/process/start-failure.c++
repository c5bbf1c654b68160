#include "process/start-failure.h"

#include <errno.h>
#include <sys/stat.h>

#include "process/executable-head.h"
#include "process/program-limits.h"

namespace bothy {

namespace {

using Reason = rpc::StartFailure::Reason;

// Of a program that is there.
StartFailure explainRefusal(const SpawnFailure::File& file, int error) {
  auto refuse = [&](Reason reason, int errorNumber, kj::String detail = kj::String()) {
    return StartFailure{reason, FailureText(file.path), errorNumber, FailureText(detail)};
  };
  if (S_ISDIR(file.mode)) return refuse(Reason::PROGRAM_NOT_EXECUTABLE, EISDIR);
  if (error == ENOEXEC)
    return refuse(Reason::PROGRAM_NOT_EXECUTABLE, error, foreignProcessor(file.head));
  // The file itself is all right, if it is not for its mode or that of its file system.
  if (error == ENOENT || error == ENOTDIR ||
      (error == EACCES && S_ISREG(file.mode) && file.mayExecute)) {
    return refuse(Reason::INTERPRETER_UNUSABLE, error, interpreterOf(file.head));
  }
  return refuse(Reason::PROGRAM_NOT_EXECUTABLE, error);
}

}  // namespace

FailureText::FailureText(kj::StringPtr whole) {
  auto size = kj::min(whole.size(), MAX_FAILURE_TEXT_BYTES);
  // Not amid a character of UTF-8.
  auto isContinuation = [&](size_t at) { return (whole[at] & 0xc0) == 0x80; };
  if (size < whole.size()) {
    while (size > 0 && isContinuation(size)) --size;
  }
  text = kj::str(whole.slice(0, size));
}

void StartFailure::writeTo(rpc::StartFailure::Builder builder) const {
  builder.setReason(reason);
  builder.setSubject(subject.asPtr());
  builder.setErrorNumber(errorNumber);
  builder.setDetail(detail.asPtr());
  builder.setBytes(bytes);
  builder.setLimitBytes(limitBytes);
}

ArgumentSize ArgumentSize::of(const SpawnRequest& request) {
  ArgumentSize result;
  for (auto texts : {request.arguments.asPtr(), request.environment.asPtr()}) {
    for (auto& text : texts) result.add(text.size());
  }
  return result;
}

void ArgumentSize::add(size_t bytes) {
  longest = kj::max(longest, bytes + 1);
  total += bytes + 1 + sizeof(char*);
}

StartFailure ArgumentSize::refuse(kj::StringPtr program) const {
  StartFailure result = {Reason::ARGUMENTS_TOO_LONG, FailureText(program), E2BIG};
  bool isOne = longest > MAX_TEXT_BYTES;
  result.bytes = isOne ? longest : total;
  result.limitBytes = isOne ? MAX_TEXT_BYTES : MAX_TEXTS_BYTES;
  return result;
}

StartFailure explain(const SpawnFailure& failure, kj::StringPtr program,
                     kj::StringPtr workingDirectory, ArgumentSize size) {
  using Stage = SpawnFailure::Stage;
  int error = failure.errorNumber;
  if (failure.stage == Stage::MEMORY) {
    return {Reason::LIMIT_REACHED, FailureText("maxStartingBytes"_kj)};
  }
  if (error == EAGAIN || error == ENOMEM) {
    return {Reason::LIMIT_REACHED, FailureText("memory or processes of the workspace"_kj), error};
  }
  switch (failure.stage) {
    case Stage::WORKING_DIRECTORY:
      return {
          error == ENOENT ? Reason::WORKING_DIRECTORY_MISSING : Reason::WORKING_DIRECTORY_UNUSABLE,
          FailureText(workingDirectory), error};
    case Stage::EXECUTE:
      if (error == E2BIG) return size.refuse(program);
      KJ_IF_MAYBE (file, failure.file) {
        return explainRefusal(*file, error);
      }
      if (error == ENOENT || error == ENOTDIR)
        return {Reason::PROGRAM_NOT_FOUND, FailureText(program), error};
      return {Reason::PROGRAM_NOT_EXECUTABLE, FailureText(program), error};
    default:
      return {Reason::OTHER, FailureText(program), error};
  }
}

}  // namespace bothy
