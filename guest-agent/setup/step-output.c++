#include "setup/step-output.h"

#include <kj/vector.h>

#include "schema/setup.capnp.h"

namespace bothy {
namespace {

bool isEnd(kj::byte c) {
  return c == '\n' || c == '\r';
}

}  // namespace

void LastLine::add(kj::ArrayPtr<const kj::byte> bytes) {
  kj::Vector<char> line;
  line.addAll(growing);
  bool isBlank = true;
  for (char c : growing) isBlank = isBlank && c == ' ';
  for (auto c : bytes) {
    if (isEnd(c)) {
      if (!isBlank) shown = kj::heapString(line.asPtr());
      line.clear();
      isBlank = true;
    } else if (line.size() < rpc::MAX_SETUP_LINE_BYTES) {
      const char kept = c < ' ' || c == 0x7f ? ' ' : static_cast<char>(c);
      isBlank = isBlank && kept == ' ';
      line.add(kept);
    }
  }
  growing = kj::heapString(line.asPtr());
  if (!isBlank) shown = kj::str(growing);
}

}  // namespace bothy
