#include "workspace/workspace-id.h"

#include <kj/encoding.h>

#include "schema/limits.capnp.h"

namespace bothy {
namespace {

constexpr size_t ID_BYTES = 16;

bool isLetterOrDigit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

}  // namespace

kj::Maybe<WorkspaceName> WorkspaceName::parse(kj::StringPtr text) {
  if (text.size() == 0 || text.size() > rpc::MAX_WORKSPACE_NAME_BYTES) return nullptr;
  if (!isLetterOrDigit(text[0]) || !isLetterOrDigit(text[text.size() - 1])) return nullptr;
  for (char c : text) {
    if (!isLetterOrDigit(c) && c != '-') return nullptr;
  }
  return WorkspaceName(kj::heapString(text));
}

kj::Maybe<WorkspaceId> WorkspaceId::parse(kj::StringPtr text) {
  if (text.size() != 2 * ID_BYTES) return nullptr;
  for (char c : text) {
    if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return nullptr;
  }
  return WorkspaceId(kj::heapString(text));
}

WorkspaceId WorkspaceId::generate(Randomness& randomness) {
  kj::byte bytes[ID_BYTES];
  randomness.fill(bytes);
  return WorkspaceId(kj::encodeHex(bytes));
}

}  // namespace bothy
