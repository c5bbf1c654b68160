#include "console/console.h"

namespace bothy {

Console::Console(kj::OutputStream& out, kj::OutputStream& errors, Properties properties)
    : out(out), errors(errors), properties(properties) {}

void Console::print(kj::StringPtr text) {
  out.write(text.begin(), text.size());
}

void Console::note(kj::StringPtr message) {
  if (!wantsJson()) error(message);
}

void Console::error(kj::StringPtr message) {
  write(kj::str("bothy: ", message, "\n"));
}

void Console::progress(kj::StringPtr text) {
  if (!wantsJson()) write(text);
}

void Console::write(kj::StringPtr text) {
  kj::runCatchingExceptions([&] { errors.write(text.begin(), text.size()); });
}

}  // namespace bothy
