#include "usage/man-page.h"

namespace bothy {
namespace {

// Text as roff takes it; what is in backquotes is bold.
class Escaper final {
public:
  kj::String escape(kj::StringPtr text) {
    kj::Vector<char> result;
    auto add = [&result](kj::StringPtr part) { result.addAll(part); };
    if (text.startsWith(".")) add("\\&");
    for (char c : text) {
      switch (c) {
        case '\\':
          add("\\e");
          break;
        case '-':
          add("\\-");
          break;
        case '\'':
          add("\\(aq");
          break;
        case '"':
          add("\\(dq");
          break;
        case '^':
          add("\\(ha");
          break;
        case '~':
          add("\\(ti");
          break;
        case '`':
          isBold = !isBold;
          add(isBold ? "\\fB" : "\\fR");
          break;
        default:
          result.add(c);
      }
    }
    result.add('\0');
    return kj::String(result.releaseAsArray());
  }

private:
  bool isBold = false;
};

kj::String escape(kj::StringPtr text) {
  return Escaper().escape(text);
}

// One sentence a line.
kj::String paragraph(kj::StringPtr& text) {
  Escaper escaper;
  kj::Vector<kj::String> parts;
  bool begins = true;
  for (auto& word : takeParagraph(text)) {
    parts.add(kj::str(begins ? "" : " ", escaper.escape(word)));
    begins = word.endsWith(".");
    if (begins) parts.add(kj::str("\n"));
  }
  if (parts.size() > 0 && !begins) parts.add(kj::str("\n"));
  return kj::strArray(parts, "");
}

kj::String paragraphs(kj::StringPtr text) {
  kj::Vector<kj::String> parts;
  for (;;) {
    auto part = paragraph(text);
    if (part.size() == 0) break;
    parts.add(kj::mv(part));
  }
  return kj::strArray(parts, ".PP\n");
}

kj::String tagged(kj::StringPtr tag, kj::StringPtr text) {
  return kj::str(".TP\n", tag, "\n", paragraph(text));
}

kj::String optionTags(const Usage::Declared& usage, bool common) {
  kj::Vector<kj::String> parts;
  for (auto& option : usage.options) {
    if (option.isCommon != common) continue;
    auto shortName = option.shortName != 0 ? kj::str("\\-", option.shortName, ", ") : kj::str();
    auto value = option.isFlag() ? kj::str() : kj::str(" \\fI", escape(option.value.title), "\\fR");
    parts.add(tagged(kj::str("\\fB", shortName, "\\-\\-", escape(option.longName), "\\fR", value),
                     option.text));
  }
  return kj::strArray(parts, "");
}

kj::String definitionTags(kj::ArrayPtr<const Definition> definitions, kj::StringPtr prefix) {
  auto parts = KJ_MAP(definition, definitions) {
    return tagged(kj::str("\\fB", prefix, escape(definition.term), "\\fR"), definition.meaning);
  };
  return kj::strArray(parts, "");
}

}  // namespace

kj::String ManPage::name() const {
  return kj::str("bothy", usage.name.size() > 0 ? "-" : "", usage.name);
}

kj::String ManPage::render() const {
  kj::Vector<kj::String> parts;
  auto section = [&parts](kj::StringPtr title, kj::String text) {
    if (text.size() > 0) parts.add(kj::str(".SH ", title, "\n", text));
  };
  auto own = name();
  auto capitals = kj::heapString(own);
  for (char& c : capitals) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  parts.add(
      kj::str(".TH ", escape(capitals), " 1 \"\" \"bothy ", version, "\" \"User Commands\"\n"));
  section("NAME", kj::str(escape(own), " \\- ", escape(usage.summary), "\n"));
  auto forms = KJ_MAP(form, usage.forms) {
    return kj::str("\\fBbothy", usage.name.size() > 0 ? " " : "", escape(usage.name), "\\fR ",
                   escape(form), "\n");
  };
  section("SYNOPSIS", kj::strArray(forms, ".br\n"));
  auto text = paragraphs(usage.text);
  auto after = paragraphs(usage.after);
  section("DESCRIPTION", kj::str(text, text.size() > 0 && after.size() > 0 ? ".PP\n" : "", after));
  section("COMMANDS", definitionTags(commands, "bothy "));
  section("OPTIONS", optionTags(usage, false));
  section("\"OPTIONS OF EVERY COMMAND\"", optionTags(usage, true));
  section("\"EXIT STATUS\"", definitionTags(exitCodes, ""));
  if (usage.name.size() > 0) {
    section("\"SEE ALSO\"", kj::str(".BR bothy (1)\n"));
  } else {
    auto pages = KJ_MAP(command, commands) {
      return kj::str(".BR bothy\\-", escape(command.term), " (1)");
    };
    section("\"SEE ALSO\"", kj::str(kj::strArray(pages, ",\n"), "\n"));
  }
  return kj::strArray(parts, "");
}

}  // namespace bothy
