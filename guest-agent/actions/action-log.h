#pragma once

#include <kj/string.h>

namespace bothy {

// What the host's side does in this machine, for its user to read.
class ActionLog {
public:
  // A line (ActionLine) with its newline, at most PIPE_BUF bytes.  Never waits and never fails: a line for which there is no room is lost, and
  // the next says how many those were.
  virtual void add(kj::StringPtr line) = 0;

protected:
  ~ActionLog() = default;
};

}  // namespace bothy
