#pragma once

#include <kj/string.h>

namespace bothy {

// One end of a copy, as it is typed.
struct CopyEnd {
  kj::Maybe<kj::String> workspace;  // nullptr: on this machine
  kj::StringPtr path;

  // "NAME:PATH" is in a workspace if NAME could be one's name; everything else is a local path, "./a:b"
  // too.  `text` must outlive the result.
  static CopyEnd parse(kj::StringPtr text);

  // "-": standard input or output.
  bool isStream() const { return workspace == nullptr && path == "-"; }
};

// The last component of a path, without slashes at its end; "." where there is none that names something.
kj::String baseName(kj::StringPtr path);

// The name under which the copy of a path in a workspace goes into a local directory: what was typed, whatever the
// workspace says that it leads to.  The name of the workspace, where a path names none of its own, like "", "~" and
// "/"; "." for "DIR/.", which asks for what is in it.
kj::String copyName(kj::StringPtr workspace, kj::StringPtr path);

// Whether a path that a workspace tells can be the beginning of others: absolute, without control characters.
bool isUsableHome(kj::StringPtr path);

// Whether a path in a workspace begins in the user's home: it is not absolute, or begins with "~/".
bool beginsAtHome(kj::StringPtr path);

// Whether it is the home and nothing in it.
bool isHomeItself(kj::StringPtr path);

// A path in a workspace, from its root.  `home` is where those begin that do so.
kj::String pathFromRoot(kj::StringPtr path, kj::StringPtr home);

}  // namespace bothy
