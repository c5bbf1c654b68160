#pragma once

#include <kj/string.h>
#include <kj/vector.h>

#include <initializer_list>

namespace bothy {

// Writes an XML document of elements, attributes and text, indented by two spaces.  Whatever is given
// as a value stays a value: quotes, angle brackets and line ends are escaped, and what XML cannot hold
// (control characters) is refused with an exception.
class XmlWriter final {
public:
  struct Attribute {
    kj::StringPtr name;  // a constant
    kj::StringPtr value;
  };
  using Attributes = std::initializer_list<Attribute>;

  XmlWriter() = default;
  KJ_DISALLOW_COPY_AND_MOVE(XmlWriter);

  // <name …> and its end.  `name` is a constant and must outlive the writer.
  void open(kj::StringPtr name, Attributes attributes = {});
  void close();
  // <name …/>
  void leaf(kj::StringPtr name, Attributes attributes = {});
  // <name …>text</name>
  void text(kj::StringPtr name, kj::StringPtr text, Attributes attributes = {});

  // The document; every element must be closed.
  kj::String finish();

private:
  kj::Vector<char> out;
  kj::Vector<kj::StringPtr> stack;

  void tag(kj::StringPtr name, Attributes attributes);
  void raw(kj::StringPtr chars);
  void escaped(kj::StringPtr chars);
};

}  // namespace bothy
