#include "supervisor/invalid-spec.h"

#include <ctype.h>
#include <stdlib.h>

#include <kj/vector.h>

#include "console/quantity.h"
#include "wire/escape.h"

namespace bothy {
namespace {

struct Field {
  kj::StringPtr name;    // in bothyd's answers
  kj::StringPtr option;  // of the commands that set it
  bool isSize;
};

constexpr Field FIELDS[] = {
    {"name"_kj, "NAME"_kj, false},      {"image"_kj, "--image"_kj, false},
    {"cpus"_kj, "--cpus"_kj, false},    {"memoryMib"_kj, "--memory"_kj, true},
    {"diskMib"_kj, "--disk"_kj, true},  {"requestId"_kj, "--request-id"_kj, false},
    {"tier"_kj, "--tier"_kj, false},    {"environment"_kj, "--env"_kj, false},
    {"labels"_kj, "--label"_kj, false}, {"setup"_kj, "--setup"_kj, false},
};

bool isDigit(char c) {
  return c >= '0' && c <= '9';
}

// With each number that stands by itself, which counts MiB, as it is typed.
kj::String withSizes(kj::StringPtr text) {
  kj::Vector<char> result(text.size() + 1);
  for (auto at = text.begin(); at != text.end();) {
    if (!isDigit(*at)) {
      result.add(*at++);
      continue;
    }
    char* end;
    const auto mebibytes = strtoull(at, &end, 10);
    const bool isWord =
        (at == text.begin() || at[-1] == ' ') && !isalnum(static_cast<unsigned char>(*end));
    result.addAll(isWord ? formatMebibytes(mebibytes) : kj::heapString(at, end - at));
    at = end;
  }
  result.add('\0');
  return kj::String(result.releaseAsArray());
}

}  // namespace

kj::String describeInvalid(kj::StringPtr why) {
  for (auto& field : FIELDS) {
    if (!why.startsWith(kj::str(field.name, " "))) continue;
    auto rest = why.slice(field.name.size());
    auto told = field.isSize ? withSizes(rest) : kj::str(rest);
    return kj::str(field.option, escapeGuestText(told.asArray()));
  }
  return escapeGuestText(why.asArray());
}

}  // namespace bothy
