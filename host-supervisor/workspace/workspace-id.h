#pragma once

#include <kj/common.h>
#include <kj/string.h>
#include <stdint.h>

#include "secret/randomness.h"

namespace bothy {

// What a person calls a workspace: [a-z0-9]([a-z0-9-]*[a-z0-9])?, at most `maxWorkspaceNameBytes`.  Such
// a text is also a host name, a file name, and free of anything that a command line or XML would mind.
class WorkspaceName final {
public:
  static kj::Maybe<WorkspaceName> parse(kj::StringPtr text);
  kj::StringPtr text() const { return value; }

private:
  explicit WorkspaceName(kj::String value) : value(kj::mv(value)) {}
  kj::String value;
};

// 32 hexadecimal digits, random, never used twice.
class WorkspaceId final {
public:
  static kj::Maybe<WorkspaceId> parse(kj::StringPtr text);
  static WorkspaceId generate(Randomness& randomness);
  kj::StringPtr text() const { return value; }

private:
  explicit WorkspaceId(kj::String value) : value(kj::mv(value)) {}
  kj::String value;
};

}  // namespace bothy
