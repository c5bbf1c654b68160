#include "console/failure.h"

#include "wire/escape.h"

namespace bothy {
namespace {

// Where the exceptions of failure() claim to come from; their line is the exit code.  KJ 1.4 has no other
// place for a value in an exception, and a peer cannot set this one.
constexpr kj::StringPtr FAILURE_ORIGIN = "a failure for the user"_kj;

kj::StringPtr withoutRemotePrefix(kj::StringPtr description) {
  constexpr kj::StringPtr PREFIX = "remote exception: "_kj;
  while (description.startsWith(PREFIX)) description = description.slice(PREFIX.size());
  return description;
}

// How bothyd begins the reason of an abort, and how Cap'n Proto hands it over.
constexpr kj::StringPtr WORD_OF_SUPERVISOR = "bothyd: "_kj;

}  // namespace

kj::Exception failure(kj::StringPtr message, int exitCode) {
  return kj::Exception(kj::Exception::Type::FAILED, FAILURE_ORIGIN.cStr(), exitCode,
                       kj::str(message));
}

// The types of KJ's exceptions are the kinds of what failed; that of a failure() is seen only here.
kj::Exception passingFailure(kj::StringPtr message) {
  return kj::Exception(kj::Exception::Type::DISCONNECTED, FAILURE_ORIGIN.cStr(), FAILURE,
                       kj::str(message));
}

bool isFailure(const kj::Exception& exception) {
  return exception.getFile() == FAILURE_ORIGIN;
}

bool isPassingFailure(const kj::Exception& exception) {
  return isFailure(exception) && exception.getType() == kj::Exception::Type::DISCONNECTED;
}

kj::Exception notRunningFailure(kj::StringPtr message, int exitCode) {
  return kj::Exception(kj::Exception::Type::OVERLOADED, FAILURE_ORIGIN.cStr(), exitCode,
                       kj::str(message));
}

bool isNotRunningFailure(const kj::Exception& exception) {
  return isFailure(exception) && exception.getType() == kj::Exception::Type::OVERLOADED;
}

kj::Exception outputClosed() {
  return failure("", OUTPUT_CLOSED);
}

bool isOutputClosed(const kj::Exception& exception) {
  return isFailure(exception) && exception.getLine() == OUTPUT_CLOSED;
}

kj::Exception inputClosed() {
  return kj::Exception(kj::Exception::Type::UNIMPLEMENTED, FAILURE_ORIGIN.cStr(), FAILURE,
                       kj::str("cannot read standard input: it is closed"));
}

bool isInputClosed(const kj::Exception& exception) {
  return isFailure(exception) && exception.getType() == kj::Exception::Type::UNIMPLEMENTED;
}

bool isWordOfSupervisor(const kj::Exception& exception) {
  if (isFailure(exception)) return false;
  // Without the prefix it tells of this program's own calls.
  const auto text = withoutRemotePrefix(exception.getDescription());
  if (text.size() == exception.getDescription().size()) return false;
  return exception.getType() == kj::Exception::Type::OVERLOADED ||
         (exception.getType() == kj::Exception::Type::DISCONNECTED &&
          text.startsWith(WORD_OF_SUPERVISOR));
}

Failure describe(const kj::Exception& exception) {
  if (isFailure(exception)) {
    return {exception.getLine(), kj::str(exception.getDescription())};
  }
  auto text = escapeGuestText(withoutRemotePrefix(exception.getDescription()).asArray());
  switch (exception.getType()) {
    case kj::Exception::Type::DISCONNECTED:
      if (isWordOfSupervisor(exception)) {
        return {FAILURE, kj::str("bothyd turns this client away (",
                                 text.slice(WORD_OF_SUPERVISOR.size()), "): try again later")};
      }
      // Its text tells of this program's own calls, and no more than that the connection is gone.
      return {FAILURE, kj::str("the connection was lost in the middle: what was accepted goes on, "
                               "`bothy ls` shows how it went")};
    case kj::Exception::Type::OVERLOADED:
      return {FAILURE, kj::str("too much is going on at once (", text, "): try again later")};
    case kj::Exception::Type::UNIMPLEMENTED:
      return {FAILURE, kj::str("the other end is older and cannot do this (", text,
                               "): `bothy version` shows both versions")};
    case kj::Exception::Type::FAILED:
      break;
  }
  return {FAILURE, kj::str("unexpected failure, please report it: ", text)};
}

}  // namespace bothy
