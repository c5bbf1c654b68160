#include "boot/command-line.h"

#include "wire/escape.h"

namespace bothy {
namespace {

constexpr size_t MAX_HOSTNAME_BYTES = 63;
constexpr kj::StringPtr PREFIX = "bothy."_kj;

// Words as the kernel splits them: at white space outside of double quotes, which are dropped.
kj::Vector<kj::String> splitWords(kj::StringPtr text) {
  kj::Vector<kj::String> words;
  kj::Vector<char> word;
  bool quoted = false;
  bool inWord = false;
  for (char c : text) {
    if (c == '"') {
      quoted = !quoted;
      inWord = true;
    } else if (!quoted && (c == ' ' || c == '\t' || c == '\n')) {
      if (inWord) {
        words.add(kj::heapString(word.asPtr()));
        word.clear();
        inWord = false;
      }
    } else {
      word.add(c);
      inWord = true;
    }
  }
  if (inWord) {
    words.add(kj::heapString(word.asPtr()));
  }
  return words;
}

bool isAlphanumeric(char c) {
  return ('a' <= c && c <= 'z') || ('A' <= c && c <= 'Z') || ('0' <= c && c <= '9');
}

}  // namespace

bool isHostname(kj::StringPtr text) {
  if (text.size() == 0 || text.size() > MAX_HOSTNAME_BYTES || text.startsWith("-") ||
      text.endsWith("-")) {
    return false;
  }
  for (char c : text) {
    if (!isAlphanumeric(c) && c != '-') {
      return false;
    }
  }
  return true;
}

CommandLine parseCommandLine(kj::StringPtr text) {
  CommandLine result;
  for (auto& word : splitWords(text)) {
    if (!word.startsWith(PREFIX)) {
      continue;
    }
    auto equals = word.findFirst('=');
    auto key = word.slice(PREFIX.size());
    kj::String name;
    kj::StringPtr value;
    KJ_IF_MAYBE (at, equals) {
      name = kj::heapString(word.slice(PREFIX.size(), *at));
      value = word.slice(*at + 1);
      key = name;
    }
    if (key == "hostname") {
      if (isHostname(value)) {
        result.hostname = kj::heapString(value);
      } else {
        result.complaints.add(
            kj::str("bothy.hostname is not a host name: ", escapeGuestText(value.asArray())));
      }
    } else {
      result.complaints.add(
          kj::str("unknown key on the command line: ", escapeGuestText(word.asArray())));
    }
  }
  return result;
}

}  // namespace bothy
