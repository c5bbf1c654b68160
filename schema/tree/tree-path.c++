#include "tree/tree-path.h"

#include <limits.h>

namespace bothy {

kj::Maybe<TreePath> TreePath::parse(kj::StringPtr text) {
  if (text.startsWith("/") || text.size() == 0) return nullptr;
  kj::Vector<char> result(text.size() + 1);
  size_t begin = 0;
  while (begin < text.size()) {
    size_t end = begin;
    while (end < text.size() && text[end] != '/') ++end;
    auto name = text.slice(begin, end);
    begin = end + 1;
    if (name.size() == 0 || (name.size() == 1 && name[0] == '.')) continue;
    if (name.size() == 2 && name[0] == '.' && name[1] == '.') return nullptr;
    if (name.size() > NAME_MAX) return nullptr;
    if (!result.empty()) result.add('/');
    result.addAll(name);
  }
  if (result.size() >= PATH_MAX) return nullptr;
  result.add('\0');
  return TreePath(kj::String(result.releaseAsArray()));
}

TreePath TreePath::parent() const {
  KJ_IF_MAYBE (slash, text.findLast('/')) return TreePath(kj::str(text.slice(0, *slash)));
  return TreePath(kj::String());
}

size_t TreePath::depth() const {
  if (isRoot()) return 0;
  size_t result = 1;
  for (char c : text) result += c == '/';
  return result;
}

kj::StringPtr TreePath::name() const {
  KJ_IF_MAYBE (slash, text.findLast('/')) return text.slice(*slash + 1);
  return text;
}

}  // namespace bothy
