#include "tier/figure-words.h"

namespace bothy {

kj::Vector<kj::String> wordsOf(kj::StringPtr text) {
  kj::Vector<kj::String> words;
  for (size_t begin = 0; begin < text.size();) {
    size_t end = begin;
    while (end < text.size() && text[end] != ' ' && text[end] != '\t') end++;
    if (end > begin) words.add(kj::heapString(text.slice(begin, end)));
    begin = end + 1;
  }
  return words;
}

}  // namespace bothy
