#include "session/session-rights.h"

#include <capnp/schema.h>
#include <kj/vector.h>

#include "schema/limits.capnp.h"

namespace bothy {
namespace {

using Verb = rpc::Verb;

constexpr Verb LAST_VERB = Verb::WRITE_BENEATH;

template <typename Func>
void forEachVerb(Func&& func) {
  for (auto number = static_cast<uint16_t>(Verb::MACHINE);
       number <= static_cast<uint16_t>(LAST_VERB); ++number) {
    func(static_cast<Verb>(number), uint32_t{1} << number);
  }
}

kj::OneOf<LaneGrant, kj::StringPtr> narrowFiles(LaneGrant wanted, const SessionRights& rights) {
  auto mayDo = [&](Verb all, Verb beneath) {
    return rights.verbs.has(all) || rights.verbs.has(beneath);
  };
  const bool writes = wanted.verbs.has(Verb::WRITE_FILES) || wanted.verbs.has(Verb::WRITE_BENEATH);
  if (!mayDo(Verb::READ_FILES, Verb::READ_BENEATH)) {
    return "this session has no right to files"_kj;
  }
  if (writes && !mayDo(Verb::WRITE_FILES, Verb::WRITE_BENEATH)) {
    return "this session may read files, and not write them"_kj;
  }
  if (wanted.user.size() > 0) {
    return "a session's files are those of the workspace's user, and of no other"_kj;
  }
  if (rights.beneath.size() > 0) {
    if (wanted.isBeneath() && wanted.beneath != rights.beneath) {
      return "this session has a right to files beneath another directory"_kj;
    }
    wanted.beneath = kj::heapArray<const kj::byte>(rights.beneath);
    wanted.verbs = {Verb::READ_BENEATH};
    if (writes) wanted.verbs.add(Verb::WRITE_BENEATH);
  }
  return kj::mv(wanted);
}

}  // namespace

SessionRights SessionRights::of(const SessionRow& row) {
  SessionRights rights;
  forEachVerb([&](Verb verb, uint32_t bit) {
    if ((row.verbs & bit) != 0) rights.verbs.add(verb);
  });
  rights.beneath = kj::heapArray<const kj::byte>(row.beneath);
  return rights;
}

uint32_t SessionRights::verbBits() const {
  uint32_t bits = 0;
  forEachVerb([&](Verb verb, uint32_t bit) {
    if (verbs.has(verb)) bits |= bit;
  });
  return bits;
}

kj::Maybe<kj::String> SessionRights::fault() const {
  if (verbs.isEmpty()) return kj::str("rights has none: it must have one at least");
  const bool isBeneath = verbs.has(Verb::READ_BENEATH) || verbs.has(Verb::WRITE_BENEATH);
  if (!isBeneath && beneath.size() > 0) {
    return kj::str(
        "rights.beneath names a directory, and rights.files is none: set it to read or write");
  }
  if (isBeneath && beneath.size() == 0) {
    return kj::str("rights.beneath is empty, and the rights are to files beneath it");
  }
  if (beneath.size() > rpc::MAX_BENEATH_BYTES) {
    return kj::str("rights.beneath has ", beneath.size(), " bytes: it must be at most ",
                   rpc::MAX_BENEATH_BYTES);
  }
  for (auto byte : beneath) {
    if (byte == 0) return kj::str("rights.beneath holds a NUL: it must be a path");
  }
  return nullptr;
}

bool SessionRights::mayWake() const {
  for (auto verb :
       {Verb::TERMINALS, Verb::PROGRAMS, Verb::MACHINE, Verb::WRITE_FILES, Verb::WRITE_BENEATH}) {
    if (verbs.has(verb)) return true;
  }
  return false;
}

bool SessionRights::maySeeSetup() const {
  return verbs.has(Verb::TERMINALS) || verbs.has(Verb::VIEW_TERMINALS) || verbs.has(Verb::PROGRAMS);
}

kj::OneOf<LaneGrant, kj::StringPtr> SessionRights::narrow(LaneGrant wanted) const {
  switch (wanted.purpose) {
    case rpc::Purpose::INTERACTIVE:
      if (wanted.verbs.has(Verb::TERMINALS) && !verbs.has(Verb::TERMINALS)) {
        if (verbs.has(Verb::VIEW_TERMINALS)) {
          return "this session may look at terminals, and not use them"_kj;
        }
        return "this session has no right to terminals"_kj;
      }
      if (wanted.verbs.has(Verb::VIEW_TERMINALS) && !verbs.has(Verb::VIEW_TERMINALS) &&
          !verbs.has(Verb::TERMINALS)) {
        return "this session has no right to terminals"_kj;
      }
      break;
    case rpc::Purpose::COMMANDS:
      if (wanted.verbs.has(Verb::PROGRAMS) && !verbs.has(Verb::PROGRAMS)) {
        return "this session has no right to run programs"_kj;
      }
      if (!wanted.verbs.has(Verb::PROGRAMS) && !verbs.has(Verb::MACHINE)) {
        return "this session has no right to the machine as a whole (power)"_kj;
      }
      break;
    case rpc::Purpose::FILES:
      return narrowFiles(kj::mv(wanted), *this);
    case rpc::Purpose::NONE:
    case rpc::Purpose::CONTROL:
      return "no session has a right to such a lane"_kj;
  }
  LaneGrant::Verbs narrowed;
  for (auto verb : {Verb::TERMINALS, Verb::VIEW_TERMINALS, Verb::PROGRAMS}) {
    if (wanted.verbs.has(verb)) narrowed.add(verb);
  }
  if (wanted.verbs.has(Verb::MACHINE) && verbs.has(Verb::MACHINE)) narrowed.add(Verb::MACHINE);
  wanted.verbs = narrowed;
  return kj::mv(wanted);
}

kj::String SessionRights::names() const {
  kj::Vector<kj::StringPtr> names;
  for (auto verb : capnp::Schema::from<rpc::Verb>().getEnumerants()) {
    if (verbs.has(static_cast<rpc::Verb>(verb.getOrdinal()))) {
      names.add(verb.getProto().getName());
    }
  }
  return kj::strArray(names, ", ");
}

}  // namespace bothy
