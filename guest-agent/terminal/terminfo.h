#pragma once

#include <kj/array.h>
#include <kj/string.h>

#include "process/loop-touches.h"

namespace bothy {

// TERM for a program: `wanted` if one of the directories describes it (terminfo(5)), else
// DEFAULT_TERM.  `mark`: of those who may list them.
kj::StringPtr chooseTerm(kj::StringPtr wanted, kj::ArrayPtr<const kj::String> directories,
                         ProgramMark mark);

// Where Debian's ncurses looks, the user's home apart: that may be a file system that hangs.
kj::Array<kj::String> systemTerminfoDirectories();

constexpr kj::StringPtr DEFAULT_TERM = "xterm-256color"_kj;

}  // namespace bothy
