#pragma once

#include <kj/function.h>
#include <kj/string.h>

namespace bothy {

// What the host's side does in this machine, for its user to read.
class ActionLog {
public:
  // A line (ActionLine) with its newline, at most PIPE_BUF bytes.  Never waits and never fails: a line for which there is no room is lost, and
  // the next says how many those were.
  void add(kj::String line) {
    addLater([line = kj::mv(line)]() mutable { return kj::mv(line); });
  }
  // The same of what is made once, before the next line or later: what it tells of goes first.
  virtual void addLater(kj::Function<kj::String()> makeLine) = 0;

protected:
  ~ActionLog() = default;
};

}  // namespace bothy
