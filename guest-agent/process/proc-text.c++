#include "process/proc-text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

namespace bothy {

kj::Maybe<ProcessStat> ProcessStat::parse(kj::StringPtr text) {
  ProcessStat result = {};
  // "PID (NAME) STATE PARENT GROUP SESSION TERMINAL ..."; the name may hold anything: what follows the last parenthesis counts.
  const char* rest = strrchr(text.cStr(), ')');
  if (rest == nullptr || sscanf(text.cStr(), "%d", &result.pid) != 1 ||
      sscanf(rest, ") %c %d %d %d %d", &result.state, &result.parent, &result.group,
             &result.session, &result.terminal) != 5) {
    return nullptr;
  }
  return result;
}

uint64_t parseField(kj::StringPtr text, kj::StringPtr key) {
  for (const char* line = text.cStr(); line != nullptr;) {
    if (strncmp(line, key.cStr(), key.size()) == 0 && line[key.size()] == ':') {
      return strtoull(line + key.size() + 1, nullptr, 10);
    }
    line = strchr(line, '\n');
    if (line != nullptr) ++line;
  }
  return 0;
}

}  // namespace bothy
