#include "command/terminal-options.h"

#include <kj/debug.h>

namespace bothy {
namespace {

constexpr kj::StringPtr KEYS[] = {"ctrl-],."_kj, "ctrl-p,ctrl-q"_kj, "none"_kj};

}  // namespace

DetachKeys defaultDetachKeys() {
  return KJ_ASSERT_NONNULL(DetachKeys::parse(DetachKeys::DEFAULT));
}

void declareDetachKeys(Usage& usage, DetachKeys& keys) {
  usage.option(
      0, "detach-keys", {"KEYS", Value::Kind::WORDS, KEYS},
      "what leaves the terminal: keys between commas, `ctrl-x` or one character, or `none` "
      "(ctrl-],.)",
      [&](kj::StringPtr given) {
        KJ_IF_MAYBE (parsed, DetachKeys::parse(given)) {
          keys = kj::mv(*parsed);
        } else {
          usage.fail(kj::str("--detach-keys wants keys like ctrl-],. or none, not ", given));
        }
      });
}

kj::Promise<int> runInTerminal(Context& context, kj::StringPtr workspace,
                               const CommandLine& command, DetachKeys keys,
                               kj::Maybe<StartWorkspace> start) {
  TerminalSession session(context, {workspace, command, nullptr}, kj::mv(keys), kj::mv(start));
  co_return co_await session.run();
}

}  // namespace bothy
