#include "vm/xml-writer.h"

#include <kj/debug.h>

namespace bothy {

void XmlWriter::raw(kj::StringPtr chars) {
  out.addAll(chars.begin(), chars.end());
}

void XmlWriter::escaped(kj::StringPtr chars) {
  for (char c : chars) {
    switch (c) {
      case '&':
        raw("&amp;");
        break;
      case '<':
        raw("&lt;");
        break;
      case '>':
        raw("&gt;");
        break;
      case '"':
        raw("&quot;");
        break;
      case '\'':
        raw("&apos;");
        break;
      case '\t':
        raw("&#9;");
        break;
      case '\n':
        raw("&#10;");
        break;
      case '\r':
        raw("&#13;");
        break;
      default:
        KJ_REQUIRE(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f,
                   "a control character cannot stand in XML");
        out.add(c);
    }
  }
}

void XmlWriter::tag(kj::StringPtr name, Attributes attributes) {
  for (size_t i = 0; i < stack.size(); i++) raw("  ");
  raw("<");
  raw(name);
  for (auto& attribute : attributes) {
    raw(" ");
    raw(attribute.name);
    raw("='");
    escaped(attribute.value);
    raw("'");
  }
}

void XmlWriter::open(kj::StringPtr name, Attributes attributes) {
  tag(name, attributes);
  raw(">\n");
  stack.add(name);
}

void XmlWriter::close() {
  auto name = stack.back();
  stack.removeLast();
  for (size_t i = 0; i < stack.size(); i++) raw("  ");
  raw("</");
  raw(name);
  raw(">\n");
}

void XmlWriter::leaf(kj::StringPtr name, Attributes attributes) {
  tag(name, attributes);
  raw("/>\n");
}

void XmlWriter::text(kj::StringPtr name, kj::StringPtr text, Attributes attributes) {
  tag(name, attributes);
  raw(">");
  escaped(text);
  raw("</");
  raw(name);
  raw(">\n");
}

kj::String XmlWriter::finish() {
  KJ_REQUIRE(stack.empty(), "an element is open", stack.back());
  return kj::heapString(out.asPtr());
}

}  // namespace bothy
