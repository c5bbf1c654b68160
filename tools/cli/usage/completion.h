#pragma once

#include "usage/usage.h"

namespace bothy {

// What a shell may offer for a word that is being typed.
struct Completion {
  // The option or operand that the word is, if it takes a value; what is not of its `words` the caller finds out.
  kj::Maybe<Value> value;
  kj::String prefix;  // what of the word stands before the value: "--disk="

  struct Candidate {
    kj::String word;
    kj::StringPtr meaning;
  };
  // Beside the value.
  kj::Vector<Candidate> candidates;
};

// `words` stand before `current`, all of them behind the command's name.
Completion complete(const Usage::Declared& usage, kj::ArrayPtr<const kj::StringPtr> words,
                    kj::StringPtr current);

// Of words for bothy itself the index of the command's name; words.size() if there is none.
size_t commandIndex(const Usage::Declared& bothy, kj::ArrayPtr<const kj::StringPtr> words);

}  // namespace bothy
