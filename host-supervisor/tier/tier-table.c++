#include "tier/tier-table.h"

#include "tier/figure-words.h"

namespace bothy {
namespace {

struct Figure {
  kj::StringPtr name;
  uint32_t Tier::* member;
  uint32_t least;
  uint32_t most;
};

constexpr Figure FIGURES[] = {
    {"cpus"_kj, &Tier::cpus, 1, MAX_CPUS},
    {"memory"_kj, &Tier::memoryMib, MIN_MEMORY_MIB, MAX_MEMORY_MIB},
    {"disk"_kj, &Tier::diskMib, MIN_DISK_MIB, MAX_DISK_MIB},
    {"sessions"_kj, &Tier::sessions, 1, MAX_TIER_SESSIONS},
    {"read"_kj, &Tier::readMib, 0, MAX_TIER_IO_MIB},
    {"write"_kj, &Tier::writeMib, 0, MAX_TIER_IO_MIB},
    {"read-operations"_kj, &Tier::readOperations, 0, MAX_TIER_OPERATIONS},
    {"write-operations"_kj, &Tier::writeOperations, 0, MAX_TIER_OPERATIONS},
};

constexpr kj::StringPtr REMOVED = "none"_kj;

bool isName(kj::StringPtr text) {
  if (text.size() == 0 || text.size() > MAX_TIER_NAME_BYTES) return false;
  for (char c : text) {
    if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-') return false;
  }
  return text[0] != '-' && text[text.size() - 1] != '-';
}

kj::Maybe<uint32_t> numberOf(kj::StringPtr text) {
  constexpr size_t MOST_DIGITS = 9;
  if (text.size() == 0 || text.size() > MOST_DIGITS) return nullptr;
  uint32_t number = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return nullptr;
    number = number * 10 + (c - '0');
  }
  return number;
}

kj::String figureNames() {
  return kj::str(
      kj::strArray(KJ_MAP(figure, FIGURES) { return figure.name; }, ", "), ", ", idleFigureNames());
}

// Sets one figure by "cpus=2".
kj::Maybe<kj::String> setFigure(Tier& tier, kj::StringPtr word, kj::Vector<kj::StringPtr>& given) {
  auto equals = word.findFirst('=').orDefault(word.size());
  auto name = kj::heapString(word.slice(0, equals));
  auto value = equals < word.size() ? word.slice(equals + 1) : ""_kj;
  for (auto& figure : FIGURES) {
    if (figure.name != name) continue;
    for (auto other : given) {
      if (other == figure.name) return kj::str(name, " is set twice; the limit is once");
    }
    given.add(figure.name);
    auto number = numberOf(value);
    KJ_IF_MAYBE (n, number) {
      if (*n >= figure.least && *n <= figure.most) {
        tier.*figure.member = *n;
        return nullptr;
      }
    }
    return kj::str(name, " is '", value, "': it must be a whole number from ", figure.least, " to ",
                   figure.most);
  }
  KJ_IF_MAYBE (figure, idleFigure(name)) {
    for (auto other : given) {
      if (other == name) return kj::str(name, " is set twice; the limit is once");
    }
    given.add(nameOf(*figure));
    return setIdleFigure(tier.idle, *figure, value);
  }
  return kj::str("'", word, "' is no figure of a tier; they are ", figureNames(),
                 ", each as NAME=NUMBER");
}

}  // namespace

Tier Tier::clone() const {
  return {kj::str(name), cpus,     memoryMib,      diskMib,         sessions,
          readMib,       writeMib, readOperations, writeOperations, idle};
}

TierTable::TierTable() {
  tiers.add(Tier{kj::str("free"), 1, 512, 2048, 1});
  tiers.add(Tier{kj::str("pro"), 2, 2048, 10240, 3});
  tiers.add(Tier{kj::str("team"), 4, 4096, 20480, 5});
  tiers.add(Tier{kj::str("enterprise"), 8, 16384, 102400, 10});
}

TierTable::TierTable(const TierTable& other) {
  for (auto& tier : other.tiers) tiers.add(tier.clone());
}

kj::Maybe<size_t> TierTable::placeOf(kj::StringPtr name) const {
  for (auto i : kj::indices(tiers)) {
    if (tiers[i].name == name) return i;
  }
  return nullptr;
}

kj::Maybe<const Tier&> TierTable::find(kj::StringPtr name) const {
  return placeOf(name).map([this](size_t place) -> const Tier& { return tiers[place]; });
}

kj::String TierTable::names() const {
  return kj::strArray(KJ_MAP(tier, tiers)->kj::StringPtr { return tier.name; }, ", ");
}

kj::Maybe<kj::String> TierTable::set(kj::StringPtr name, kj::StringPtr text) {
  if (!isName(name)) {
    return kj::str("'", name, "' is no name of a tier: it must be 1 to ", MAX_TIER_NAME_BYTES,
                   " of a-z, 0-9 and '-', no '-' at either end");
  }
  auto place = placeOf(name);
  if (text == REMOVED) {
    KJ_IF_MAYBE (found, place) {
      kj::Vector<Tier> others;
      for (auto i : kj::indices(tiers)) {
        if (i != *found) others.add(kj::mv(tiers[i]));
      }
      tiers = kj::mv(others);
      return nullptr;
    }
    return kj::str("there is no tier ", name, " that could be removed; there are ", names());
  }
  Tier tier;
  KJ_IF_MAYBE (found, place) {
    tier = tiers[*found].clone();
  } else {
    if (tiers.size() >= MAX_TIERS) return kj::str("there are ", MAX_TIERS, " tiers, the limit");
    tier.name = kj::str(name);
  }
  kj::Vector<kj::StringPtr> given;
  for (auto& word : wordsOf(text)) {
    KJ_IF_MAYBE (fault, setFigure(tier, word, given)) return kj::mv(*fault);
  }
  if (given.empty()) {
    return kj::str("no figure is given; they are ", figureNames(), ", each as NAME=NUMBER");
  }
  for (auto& figure : FIGURES) {
    if (tier.*figure.member < figure.least) {
      return kj::str(figure.name, " is missing: a new tier needs it, from ", figure.least, " to ",
                     figure.most);
    }
  }
  KJ_IF_MAYBE (found, place) {
    tiers[*found] = kj::mv(tier);
  } else {
    tiers.add(kj::mv(tier));
  }
  return nullptr;
}

}  // namespace bothy
