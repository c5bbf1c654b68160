#include "workspace/workspace-spec.h"

#include <kj/debug.h>

#include "schema/limits.capnp.h"
#include "wire/escape.h"

namespace bothy {
namespace {

// A client's text in an answer: short, and on one line.
kj::String shown(kj::StringPtr text) {
  constexpr size_t MOST_BYTES = 80;
  if (text.size() <= MOST_BYTES) return escapeGuestText(text.asArray());
  return kj::str(escapeGuestText(text.asArray().slice(0, MOST_BYTES)), "...");
}

kj::Maybe<kj::String> outside(kj::StringPtr field, uint32_t value, uint32_t least, uint32_t most) {
  if (value >= least && value <= most) return nullptr;
  return kj::str(field, " is ", value, ": it must be ", least, " to ", most);
}

// A figure that is given beside a tier, which has it.
kj::Maybe<kj::String> beside(kj::StringPtr field, uint32_t given, const Tier& tier,
                             uint32_t figure) {
  if (given == 0) return nullptr;
  return kj::str(field, " is ", given, ": the tier '", tier.name, "' has ", figure,
                 ", leave out one of both");
}

}  // namespace

GivenSpec GivenSpec::clone() const {
  return {kj::str(name), kj::str(image),       cpus, memoryMib, diskMib,
          kj::str(tier), configuration.clone()};
}

kj::String noSuchTier(kj::StringPtr name, const TierTable& tiers) {
  if (tiers.all().size() == 0)
    return kj::str("tier is '", shown(name), "': this host has no tiers");
  return kj::str("tier is '", shown(name), "': it must be one of ", tiers.names());
}

kj::OneOf<CheckedSpec, kj::String> check(const GivenSpec& given, const SpecDefaults& defaultsParam,
                                         const TierTable& tiers) {
  auto defaults = defaultsParam;
  if (given.tier.size() > 0) {
    auto found = tiers.find(given.tier);
    if (found == nullptr) return noSuchTier(given.tier, tiers);
    auto& tier = KJ_ASSERT_NONNULL(found);
    defaults = {tier.cpus, tier.memoryMib, tier.diskMib};
    KJ_IF_MAYBE (fault, beside("cpus", given.cpus, tier, tier.cpus)) return kj::mv(*fault);
    KJ_IF_MAYBE (fault, beside("memoryMib", given.memoryMib, tier, tier.memoryMib)) {
      return kj::mv(*fault);
    }
    KJ_IF_MAYBE (fault, beside("diskMib", given.diskMib, tier, tier.diskMib)) return kj::mv(*fault);
  }
  uint32_t cpus = given.cpus == 0 ? defaults.cpus : given.cpus;
  uint32_t memoryMib = given.memoryMib == 0 ? defaults.memoryMib : given.memoryMib;
  uint32_t diskMib = given.diskMib == 0 ? defaults.diskMib : given.diskMib;
  KJ_IF_MAYBE (fault, outside("cpus", cpus, 1, MAX_CPUS)) {
    return kj::mv(*fault);
  }
  KJ_IF_MAYBE (fault, outside("memoryMib", memoryMib, MIN_MEMORY_MIB, MAX_MEMORY_MIB)) {
    return kj::mv(*fault);
  }
  KJ_IF_MAYBE (fault, outside("diskMib", diskMib, MIN_DISK_MIB, MAX_DISK_MIB)) {
    return kj::mv(*fault);
  }
  kj::StringPtr image = given.image.size() == 0 ? DEFAULT_IMAGE : kj::StringPtr(given.image);
  if (WorkspaceName::parse(image) == nullptr) {
    return kj::str("image is '", shown(image), "': it must be 1 to ", rpc::MAX_WORKSPACE_NAME_BYTES,
                   " of a-z, 0-9 and '-', no '-' at either end");
  }
  if (WorkspaceId::parse(given.name) != nullptr) {
    // Who asks for usage may name a workspace or give its id.
    return kj::str("name is '", given.name,
                   "': it must not be 32 hexadecimal digits, as ids of workspaces are");
  }
  KJ_IF_MAYBE (name, WorkspaceName::parse(given.name)) {
    return CheckedSpec{kj::mv(*name), kj::heapString(image), cpus, memoryMib,
                       diskMib,       kj::str(given.tier)};
  }
  return kj::str("name is '", shown(given.name), "': it must be 1 to ",
                 rpc::MAX_WORKSPACE_NAME_BYTES, " of a-z, 0-9 and '-', no '-' at either end");
}

kj::Maybe<kj::String> checkHost(const Tier& tier, uint32_t hostMemoryMib) {
  if (tier.memoryMib <= hostMemoryMib) return nullptr;
  return kj::str("tier is '", tier.name, "': it has ", tier.memoryMib,
                 " MiB of memory, and the host ", hostMemoryMib);
}

kj::Maybe<kj::String> checkHost(const CheckedSpec& spec, uint32_t hostMemoryMib) {
  if (spec.memoryMib <= hostMemoryMib) return nullptr;
  return kj::str("memoryMib is ", spec.memoryMib, ": the host has ", hostMemoryMib,
                 ", and a machine cannot have more");
}

kj::Maybe<kj::String> checkGrowth(uint32_t presentMib, uint32_t wantedMib,
                                  kj::Maybe<uint32_t> tierMib) {
  if (wantedMib < presentMib) {
    return kj::str("diskMib is ", wantedMib, ": a disk never shrinks, and this one has ",
                   presentMib);
  }
  KJ_IF_MAYBE (most, tierMib) {
    if (wantedMib > *most && wantedMib > presentMib) {
      return kj::str("diskMib is ", wantedMib, ": its tier has ", *most,
                     ", change the tier for more");
    }
  }
  uint32_t most = presentMib <= MAX_GROWN_DISK_MIB ? MAX_GROWN_DISK_MIB : MAX_DISK_MIB;
  return outside("diskMib", wantedMib, presentMib, most);
}

kj::String canonicalText(const GivenSpec& given) {
  // Sizes first, so that no text can be taken for another's.
  auto text = kj::str(given.name.size(), ' ', given.image.size(), ' ', given.cpus, ' ',
                      given.memoryMib, ' ', given.diskMib, ' ', given.name, ' ', given.image);
  // As bothyds without tiers and configurations have stored it.
  auto configuration = given.configuration.canonicalText();
  if (given.tier.size() == 0 && configuration.size() == 0) return text;
  return kj::str(text, ' ', given.tier, configuration);
}

}  // namespace bothy
