#include "transfer/copy-end.h"

#include "schema/limits.capnp.h"

namespace bothy {
namespace {

bool isWorkspaceName(kj::ArrayPtr<const char> text) {
  if (text.size() == 0 || text.size() > rpc::MAX_WORKSPACE_NAME_BYTES) return false;
  for (char c : text) {
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-')) return false;
  }
  return text.front() != '-' && text.back() != '-';
}

}  // namespace

CopyEnd CopyEnd::parse(kj::StringPtr text) {
  KJ_IF_MAYBE (colon, text.findFirst(':')) {
    auto name = text.slice(0, *colon);
    if (isWorkspaceName(name)) return {kj::heapString(name), text.slice(*colon + 1)};
  }
  return {nullptr, text};
}

kj::String baseName(kj::StringPtr path) {
  size_t end = path.size();
  while (end > 0 && path[end - 1] == '/') --end;
  size_t begin = end;
  while (begin > 0 && path[begin - 1] != '/') --begin;
  auto name = kj::heapString(path.slice(begin, end));
  if (name == "" || name == ".." || name == "~") return kj::str(".");
  return name;
}

kj::String copyName(kj::StringPtr workspace, kj::StringPtr path) {
  auto name = baseName(path);
  if (name != ".") return name;
  return kj::str(path == "." || path.endsWith("/.") ? "."_kj : workspace);
}

bool isUsableHome(kj::StringPtr path) {
  constexpr char FIRST_PRINTABLE = ' ';
  constexpr char DELETE = 0x7f;
  for (char c : path) {
    if ((c >= 0 && c < FIRST_PRINTABLE) || c == DELETE) return false;
  }
  return path.startsWith("/");
}

bool beginsAtHome(kj::StringPtr path) {
  return !path.startsWith("/");
}

bool isHomeItself(kj::StringPtr path) {
  return path == "" || path == "~" || path == "~/";
}

kj::String pathFromRoot(kj::StringPtr path, kj::StringPtr home) {
  if (!beginsAtHome(path)) return kj::str(path);
  if (path == "~") path = "";
  if (path.startsWith("~/")) path = path.slice(2);
  return path.size() > 0 ? kj::str(home, home.endsWith("/") ? "" : "/", path) : kj::str(home);
}

}  // namespace bothy
