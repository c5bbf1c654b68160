#pragma once

#include <stdint.h>

#include <kj/vector.h>

namespace bothy {

// The marks that stand on characters of a screen, two at most on each, by numbers.
class CombiningMarks final {
public:
  struct Marks {
    char32_t first = 0;
    char32_t second = 0;  // 0: none
    bool operator==(const Marks&) const = default;
  };
  static constexpr size_t MAX_KINDS = 256;  // what comes when there are so many is not kept

  // The number of what there is with `mark` added to what has `number`; 0 is no mark.
  uint16_t add(uint16_t number, char32_t mark) {
    auto marks = get(number);
    if (marks.first == 0) {
      marks.first = mark;
    } else if (marks.second == 0) {
      marks.second = mark;
    } else {
      return number;
    }
    for (auto i : kj::indices(known)) {
      if (known[i] == marks) return static_cast<uint16_t>(i + 1);
    }
    if (known.size() >= MAX_KINDS) return number;
    known.add(marks);
    return static_cast<uint16_t>(known.size());
  }

  Marks get(uint16_t number) const { return number == 0 ? Marks() : known[number - 1]; }

private:
  kj::Vector<Marks> known;
};

}  // namespace bothy
