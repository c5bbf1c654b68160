#include "terminal/terminfo.h"

#include <unistd.h>

namespace bothy {

namespace {

// Names come from the client and become part of a path.
bool isTerminalName(kj::StringPtr name) {
  if (name.size() == 0 || name[0] == '.') return false;
  for (char c : name) {
    bool fits = ('0' <= c && c <= '9') || ('a' <= c && c <= 'z') || ('A' <= c && c <= 'Z') ||
                c == '+' || c == '-' || c == '.' || c == '_';
    if (!fits) return false;
  }
  return true;
}

}  // namespace

kj::StringPtr chooseTerm(kj::StringPtr wanted, kj::ArrayPtr<const kj::String> directories,
                         ProgramMark mark) {
  if (!isTerminalName(wanted)) return DEFAULT_TERM;
  Touch touch(mark);
  for (auto& directory : directories) {
    auto byLetter = kj::str(directory, '/', wanted[0], '/', wanted);
    auto byNumber = kj::str(directory, '/', kj::hex(static_cast<kj::byte>(wanted[0])), '/', wanted);
    if (access(byLetter.cStr(), R_OK) == 0 || access(byNumber.cStr(), R_OK) == 0) return wanted;
  }
  return DEFAULT_TERM;
}

kj::Array<kj::String> systemTerminfoDirectories() {
  return kj::arr(kj::str("/etc/terminfo"), kj::str("/lib/terminfo"),
                 kj::str("/usr/share/terminfo"));
}

}  // namespace bothy
