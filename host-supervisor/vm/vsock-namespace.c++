#include "vm/vsock-namespace.h"

#include <fcntl.h>
#include <unistd.h>

#include <kj/io.h>

namespace bothy {

bool isVsockOfNewNetworksLocal(kj::StringPtr file) {
  kj::AutoCloseFd mode(open(file.cStr(), O_RDONLY | O_CLOEXEC));
  if (mode.get() < 0) return false;
  char text[16];
  ssize_t size = read(mode, text, sizeof(text) - 1);
  if (size <= 0) return false;
  text[size] = '\0';
  return kj::StringPtr(text, size).startsWith("local");
}

}  // namespace bothy
