#include "usage/completion.h"

namespace bothy {
namespace {

using Option = Usage::Option;
using Operand = Usage::Operand;

// Reads words as far as they have come; wrong ones are passed over.
class Reader final {
public:
  explicit Reader(const Usage::Declared& usage) : usage(usage) {}

  void read(kj::StringPtr word) {
    if (expected != nullptr) {
      expected = nullptr;
    } else if (optionsEnded || !word.startsWith("-") || word == "-") {
      ++operands;
    } else if (word == "--") {
      optionsEnded = true;
    } else if (word.startsWith("--")) {
      if (word.findFirst('=') == nullptr) expect(findLong(word.slice(2)));
    } else {
      readShort(word.slice(1));
    }
  }

  const Option* findLong(kj::StringPtr name) const {
    for (auto& option : usage.options) {
      if (option.longName == name) return &option;
    }
    return nullptr;
  }

  // Whether what comes now is of a command line in a workspace.
  bool isInCommandLine() const {
    return usage.hasCommandLine && (optionsEnded || operands > usage.operands.size());
  }

  const Operand* nextOperand() const {
    if (operands < usage.operands.size()) return &usage.operands[operands];
    bool isMany = usage.operands.size() > 0 && usage.operands.back().count == Operand::Count::MANY;
    return isMany ? &usage.operands.back() : nullptr;
  }

  const Option* expected = nullptr;  // whose value comes now
  bool optionsEnded = false;
  size_t operands = 0;

private:
  const Usage::Declared& usage;

  void expect(const Option* option) {
    if (option != nullptr && !option->isFlag()) expected = option;
  }

  void readShort(kj::StringPtr letters) {
    for (; letters.size() > 0; letters = letters.slice(1)) {
      for (auto& option : usage.options) {
        if (option.shortName != letters[0] || option.isFlag()) continue;
        if (letters.size() == 1) expected = &option;
        return;  // the rest is its value
      }
    }
  }
};

}  // namespace

Completion complete(const Usage::Declared& usage, kj::ArrayPtr<const kj::StringPtr> words,
                    kj::StringPtr current) {
  Completion result;
  Reader reader(usage);
  for (auto word : words) reader.read(word);
  if (reader.isInCommandLine()) return result;
  if (reader.expected != nullptr) {
    result.value = reader.expected->value;
    return result;
  }
  bool isOption = !reader.optionsEnded && current.startsWith("-");
  if (isOption && current.startsWith("--")) {
    KJ_IF_MAYBE (equals, current.findFirst('=')) {
      auto option = reader.findLong(kj::str(current.slice(2, *equals)));
      if (option != nullptr && !option->isFlag()) {
        result.value = option->value;
        result.prefix = kj::str(current.slice(0, *equals + 1));
      }
      return result;
    }
  }
  if (isOption) {
    for (auto& option : usage.options) {
      result.candidates.add(Completion::Candidate{kj::str("--", option.longName), option.text});
    }
    return result;
  }
  auto operand = reader.nextOperand();
  if (operand != nullptr) result.value = operand->value;
  return result;
}

size_t commandIndex(const Usage::Declared& bothy, kj::ArrayPtr<const kj::StringPtr> words) {
  Reader reader(bothy);
  for (size_t i = 0; i < words.size(); ++i) {
    reader.read(words[i]);
    if (reader.operands > 0) return i;
  }
  return words.size();
}

}  // namespace bothy
