#pragma once

#include <kj/array.h>
#include <kj/function.h>
#include <kj/string.h>
#include <kj/time.h>
#include <kj/vector.h>

namespace bothy {

// One line of JSON about something that was done in the machine from outside: an object of names with texts, numbers and lists of texts.
//
//     ActionLine(now, "terminal opened").text("user", "ann").number("terminal", 3).finish()
//
// Texts are made fit for a terminal (escapeGuestText()), and cut where they are too long.
class ActionLine final {
public:
  ActionLine(kj::Date now, kj::StringPtr what);

  ActionLine& text(kj::StringPtr name, kj::StringPtr value);
  ActionLine& number(kj::StringPtr name, uint64_t value);
  // As text: readers of JSON round numbers of more than 53 bits.
  ActionLine& id(kj::StringPtr name, uint64_t value) { return text(name, kj::str(value)); }
  // The first and the last of `texts`, however many there are, as far as they fit, and between them how much is left out: nothing is hidden
  // by what it begins with.
  template <typename Texts>
  ActionLine& list(kj::StringPtr name, const Texts& texts) {
    return addList(name, texts.size(), [&texts](kj::uint i) { return kj::StringPtr(texts[i]); });
  }

  // With its newline.
  kj::String finish();

  // Of one text, and of those of a list together, as they were before they were escaped.
  static constexpr size_t MAX_TEXT_BYTES = 96;
  static constexpr size_t MAX_LIST_BYTES = 256;

private:
  kj::Vector<char> line;

  void add(kj::StringPtr piece) { line.addAll(piece); }
  void addName(kj::StringPtr name);
  void addText(kj::ArrayPtr<const char> text);
  ActionLine& addList(kj::StringPtr name, kj::uint count,
                      kj::FunctionParam<kj::StringPtr(kj::uint)> text);
};

// In the place of so many lines that are not there.
kj::String linesLost(kj::Date now, uint64_t count);

}  // namespace bothy
