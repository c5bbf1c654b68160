#pragma once

#include <kj/string.h>
#include <kj/vector.h>

namespace bothy {

// Columns of text, aligned by the width that a terminal shows.  Cells are escaped when they are added: what
// comes from a guest cannot break the table or the terminal.
class Table final {
public:
  explicit Table(kj::ArrayPtr<const kj::StringPtr> headings);

  // As many cells as there are headings.
  void add(kj::ArrayPtr<const kj::String> cells);

  // Lines, each ended by a line feed, without trailing blanks; the headings first.
  kj::String render() const;

private:
  kj::Vector<kj::Array<kj::String>> rows;
};

// Columns of a terminal that `text` takes: wide characters two, combining ones none.
size_t displayWidth(kj::StringPtr text);

}  // namespace bothy
