#pragma once

#include <kj/array.h>
#include <kj/string.h>

#include <cstdint>

namespace bothy {

// Ways in which a peer tries to grow whoever it talks to, or to keep it from others.
enum class Attack : uint8_t {
  UNKNOWN_KINDS,  // large messages of a kind that nobody serves, which an RPC system echoes whole
  BOOTSTRAPS,     // ever new questions for the first capability, none of them finished
  CALLS,          // the same with small calls
  WAITING_CALLS,  // the same with calls that are not answered for long
  WRITES,         // the same with calls of a megabyte
  LISTINGS,       // calls with large answers, all of them finished
  DOWNLOADS,      // of a file, ever more of them, into sinks that never answer
  GIVEN_UP_DOWNLOADS,  // the same, of a small file, each given up a little later
  TINY_MESSAGES,       // allowed and without effect, as fast as they can be written
  CAPABILITIES,        // calls with thousands of capabilities
  VOID_CAPABILITIES,   // calls with a million of them that take no byte in the message
  VOID_TRANSFORMS,     // calls of what is a million pointers away, in as few bytes
  ANSWERS,             // thousands of capabilities in the answer to whatever is asked
  RESOLUTIONS,         // of promises that nobody was given
  SEGMENTS,            // a message with more segments than any may have
  SIZE,                // one of 4 GiB
  NESTING,             // one that is nested deeply
};

// Whose part the attacker plays, and so what it was given.
enum class AttackerPart : uint8_t {
  AGENT,        // serves a lane; its peer has given it a sink
  CONTROL,      // the same of the control lane; nothing was given
  INTERACTIVE,  // has a lane with no right but to see the machine
  COMMANDS,     // has a lane with no right but to run programs
  FILES,        // has a lane with no right but to read files
};

struct AttackPlan {
  Attack attack;
  AttackerPart part;
  // Whether it reads what it is sent.
  bool reads;

  // As arguments of a program.
  kj::Array<kj::String> words() const;
  static AttackPlan parse(kj::StringPtr attack, kj::StringPtr part, kj::StringPtr reads);
};

kj::StringPtr KJ_STRINGIFY(Attack attack);
kj::StringPtr KJ_STRINGIFY(AttackerPart part);

// Those that whoever plays `part` can try.
kj::Array<Attack> attacksOf(AttackerPart part);

}  // namespace bothy
