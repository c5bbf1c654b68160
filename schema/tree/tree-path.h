#pragma once

#include <kj/string.h>
#include <kj/vector.h>

namespace bothy {

// A path below a tree's root as an archive gives it, made by parse() only: relative, without "..", "."
// and empty components, each name at most 255 bytes, the whole below PATH_MAX.
class TreePath final {
public:
  // None if the path is absolute, has "..", or is too long.  "." and "./" are the root itself.
  static kj::Maybe<TreePath> parse(kj::StringPtr text);

  bool isRoot() const { return text.size() == 0; }
  kj::StringPtr string() const { return text; }

  // The path of the directory that holds it; the root of a name without "/".  Not for the root.
  TreePath parent() const;
  // How many components it has.
  size_t depth() const;
  // The last component.
  kj::StringPtr name() const;

private:
  explicit TreePath(kj::String text) : text(kj::mv(text)) {}
  kj::String text;
};

// How deep directories of a tree may nest, packed and unpacked: a path of more could not be opened by name.
constexpr size_t MAX_TREE_DEPTH = 1024;

}  // namespace bothy
