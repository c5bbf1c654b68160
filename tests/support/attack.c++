#include "support/attack.h"

#include <kj/debug.h>
#include <kj/vector.h>

namespace bothy {
namespace {

constexpr kj::StringPtr ATTACKS[] = {"unknown-kinds"_kj,
                                     "bootstraps"_kj,
                                     "calls"_kj,
                                     "waiting-calls"_kj,
                                     "writes"_kj,
                                     "listings"_kj,
                                     "downloads"_kj,
                                     "given-up-downloads"_kj,
                                     "tiny-messages"_kj,
                                     "capabilities"_kj,
                                     "void-capabilities"_kj,
                                     "void-transforms"_kj,
                                     "answers"_kj,
                                     "resolutions"_kj,
                                     "segments"_kj,
                                     "size"_kj,
                                     "nesting"_kj};
constexpr kj::StringPtr PARTS[] = {"agent"_kj, "control"_kj, "interactive"_kj, "commands"_kj,
                                   "files"_kj};
constexpr kj::StringPtr READS = "reads"_kj, DEAF = "deaf"_kj;

template <typename T>
T named(kj::ArrayPtr<const kj::StringPtr> names, kj::StringPtr name) {
  for (auto i : kj::indices(names)) {
    if (names[i] == name) return static_cast<T>(i);
  }
  KJ_FAIL_REQUIRE("no such name", name);
}

bool canTry(AttackerPart part, Attack attack) {
  switch (attack) {
    case Attack::WAITING_CALLS:
      // An agent's WRITES and CALLS wait where the sink's owner lets them.
      return part == AttackerPart::COMMANDS;
    case Attack::LISTINGS:
    case Attack::DOWNLOADS:
    case Attack::GIVEN_UP_DOWNLOADS:
      return part == AttackerPart::FILES;
    case Attack::ANSWERS:
      return part == AttackerPart::AGENT || part == AttackerPart::CONTROL;
    default:
      return true;
  }
}

}  // namespace

kj::Array<kj::String> AttackPlan::words() const {
  return kj::arr(kj::str(attack), kj::str(part), kj::str(reads ? READS : DEAF));
}

AttackPlan AttackPlan::parse(kj::StringPtr attack, kj::StringPtr part, kj::StringPtr reads) {
  return {named<Attack>(ATTACKS, attack), named<AttackerPart>(PARTS, part), reads == READS};
}

kj::StringPtr KJ_STRINGIFY(Attack attack) {
  return ATTACKS[static_cast<size_t>(attack)];
}

kj::StringPtr KJ_STRINGIFY(AttackerPart part) {
  return PARTS[static_cast<size_t>(part)];
}

kj::Array<Attack> attacksOf(AttackerPart part) {
  kj::Vector<Attack> attacks;
  for (auto i : kj::indices(ATTACKS)) {
    if (canTry(part, static_cast<Attack>(i))) attacks.add(static_cast<Attack>(i));
  }
  return attacks.releaseAsArray();
}

}  // namespace bothy
