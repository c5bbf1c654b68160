#include <kj/vector.h>

#include "config/settings.h"

namespace bothy {
namespace {

constexpr size_t MAX_FILE_BYTES = 64 * 1024;

bool isBlank(char c) {
  return c == ' ' || c == '\t' || c == '\r';
}

kj::String trim(kj::ArrayPtr<const char> text) {
  while (text.size() > 0 && isBlank(text.front())) text = text.slice(1, text.size());
  while (text.size() > 0 && isBlank(text.back())) text = text.slice(0, text.size() - 1);
  return kj::heapString(text);
}

}  // namespace

kj::Array<kj::String> readSettings(Settings& settings, kj::StringPtr source, kj::StringPtr text) {
  kj::Vector<kj::String> faults;
  if (text.size() > MAX_FILE_BYTES) {
    faults.add(
        kj::str(source, ":1: the file has ", text.size(), " bytes; the limit is ", MAX_FILE_BYTES));
    return faults.releaseAsArray();
  }
  size_t number = 0;
  kj::Vector<kj::String> seen;
  for (size_t begin = 0; begin < text.size();) {
    number++;
    size_t end = begin;
    while (end < text.size() && text[end] != '\n') end++;
    auto line = text.slice(begin, end);
    begin = end + 1;

    for (size_t i = 0; i < line.size(); i++) {
      if (line[i] == '#') {
        line = line.slice(0, i);
        break;
      }
    }
    if (trim(line).size() == 0) continue;

    kj::Maybe<size_t> equals;
    for (size_t i = 0; i < line.size() && equals == nullptr; i++) {
      if (line[i] == '=') equals = i;
    }
    KJ_IF_MAYBE (at, equals) {
      auto name = trim(line.slice(0, *at));
      bool again = false;
      for (auto& other : seen) again = again || other == name;
      if (again) {
        faults.add(
            kj::str(source, ":", number, ": ", name, ": it is set twice; the limit is once"));
        continue;
      }
      KJ_IF_MAYBE (fault, set(settings, name, trim(line.slice(*at + 1, line.size())))) {
        faults.add(kj::str(source, ":", number, ": ", name, ": ", *fault));
      }
      seen.add(kj::mv(name));
    } else {
      faults.add(
          kj::str(source, ":", number, ": '", trim(line), "' is not of the form name = value"));
    }
  }
  return faults.releaseAsArray();
}

}  // namespace bothy
