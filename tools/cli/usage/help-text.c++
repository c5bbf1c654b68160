#include "usage/help-text.h"

#include "console/table.h"

namespace bothy {
namespace {

constexpr size_t PAGE_COLUMNS = 80;
constexpr size_t MAX_TERM_COLUMNS = 24;  // a longer term has a line of its own
constexpr size_t TERM_INDENT = 2;
constexpr size_t TERM_GAP = 2;

kj::String blanks(size_t count) {
  return kj::str(kj::repeat(' ', count));
}

// Appends words to lines of a page, below `indent`.
class Filler final {
public:
  Filler(kj::StringPtr begin, size_t indent)
      : line(kj::str(begin)), column(displayWidth(begin)), indent(indent) {}

  void add(kj::StringPtr word) {
    size_t width = displayWidth(word);
    bool isFirst = column <= indent;
    if (!isFirst && column + 1 + width > PAGE_COLUMNS) {
      finishLine();
      isFirst = true;
    }
    if (isFirst) {
      line = kj::str(line, blanks(indent - column), word);
      column = indent + width;
    } else {
      line = kj::str(line, " ", word);
      column += 1 + width;
    }
  }

  void finishLine() {
    if (line.size() > 0) lines.add(kj::str(line, "\n"));
    line = kj::String();
    column = 0;
  }

  kj::String finish() {
    finishLine();
    return kj::strArray(lines, "");
  }

private:
  kj::Vector<kj::String> lines;
  kj::String line;
  size_t column;
  const size_t indent;
};

}  // namespace

kj::Vector<kj::String> takeParagraph(kj::StringPtr& text) {
  kj::Vector<kj::String> words;
  while (text.startsWith("\n")) text = text.slice(1);
  size_t begin = 0, i = 0;
  for (;; ++i) {
    bool atEnd = i == text.size();
    if (!atEnd && text[i] != ' ' && text[i] != '\n') continue;
    if (i > begin) words.add(kj::str(text.slice(begin, i)));
    begin = i + 1;
    if (atEnd || (text[i] == '\n' && i + 1 < text.size() && text[i + 1] == '\n')) break;
  }
  text = text.slice(i);
  return words;
}

kj::String filledText(kj::StringPtr text) {
  kj::Vector<kj::String> paragraphs;
  for (;;) {
    auto words = takeParagraph(text);
    if (words.size() == 0) break;
    Filler filler("", 0);
    for (auto& word : words) filler.add(word);
    paragraphs.add(filler.finish());
  }
  return kj::strArray(paragraphs, "\n");
}

kj::String definitionsText(kj::ArrayPtr<const Definition> definitions) {
  size_t width = 0;
  for (auto& definition : definitions) {
    size_t own = displayWidth(definition.term);
    if (own <= MAX_TERM_COLUMNS) width = kj::max(width, own);
  }
  size_t indent = TERM_INDENT + width + TERM_GAP;
  kj::Vector<kj::String> result;
  for (auto& definition : definitions) {
    auto begin = kj::str(blanks(TERM_INDENT), definition.term);
    bool isLong = displayWidth(definition.term) > width;
    if (isLong) {
      result.add(kj::str(begin, "\n"));
      begin = kj::String();
    }
    Filler filler(begin, indent);
    auto meaning = definition.meaning;
    for (auto& word : takeParagraph(meaning)) filler.add(word);
    result.add(filler.finish());
  }
  return kj::strArray(result, "");
}

kj::String describeOption(const Usage::Option& option, bool indented) {
  auto shortName = option.shortName != 0 ? kj::str("-", option.shortName, ", ")
                                         : kj::str(indented ? "    " : "");
  return kj::str(shortName, "--", option.longName, option.isFlag() ? "" : " ", option.value.title);
}

kj::String synopsisText(const Usage::Declared& usage) {
  kj::Vector<kj::String> lines;
  for (auto form : usage.forms) {
    lines.add(kj::str(lines.size() == 0 ? "Usage: " : "       ", "bothy",
                      usage.name.size() > 0 ? " " : "", usage.name, form.size() > 0 ? " " : "",
                      form, "\n"));
  }
  return kj::strArray(lines, "");
}

kj::String optionsText(const Usage::Declared& usage, Options which) {
  kj::Vector<Definition> definitions;
  auto isMeant = [which](const Usage::Option& option) {
    return which == Options::ALL || option.isCommon == (which == Options::COMMON);
  };
  bool indented = false;
  for (auto& option : usage.options) {
    if (isMeant(option) && option.shortName != 0) indented = true;
  }
  for (auto& option : usage.options) {
    if (!isMeant(option)) continue;
    definitions.add(Definition{describeOption(option, indented), option.text});
  }
  return definitionsText(definitions);
}

kj::String helpText(const Usage::Declared& usage) {
  kj::Vector<kj::String> parts;
  auto add = [&parts](kj::String part) {
    if (part.size() > 0) parts.add(kj::mv(part));
  };
  add(synopsisText(usage));
  add(filledText(usage.text));
  add(optionsText(usage, Options::OWN));
  add(filledText(usage.after));
  add(kj::str("Options of every command:\n", optionsText(usage, Options::COMMON)));
  return kj::strArray(parts, "\n");
}

}  // namespace bothy
