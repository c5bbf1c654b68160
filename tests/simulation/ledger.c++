#include "simulation/ledger.h"

namespace bothy {

Ledger::Facts& Ledger::of(const WorkspaceRow& row) {
  return byId.findOrCreate(row.id, [&]() -> kj::TreeMap<kj::String, Facts>::Entry {
    Facts facts;
    facts.name = kj::str(row.name);
    return {kj::str(row.id), kj::mv(facts)};
  });
}

void Ledger::created(const WorkspaceRow& row) {
  auto& facts = of(row);
  facts.created = true;
  facts.diskMib = kj::max(facts.diskMib, row.diskMib);
}

void Ledger::deleteAsked(const WorkspaceRow& row) {
  of(row).deleteAsked = true;
  deletes.upsert(kj::str(row.name), 1, [](uint64_t& count, uint64_t&&) { count++; });
}

uint64_t Ledger::deletesAsked(kj::StringPtr name) {
  KJ_IF_MAYBE (count, deletes.find(name)) {
    return *count;
  }
  return 0;
}

void Ledger::resizeAsked(const WorkspaceRow& row, uint32_t diskMib) {
  of(row).openSizes.add(diskMib);
}

void Ledger::resizeRefused(const WorkspaceRow& row, uint32_t diskMib) {
  auto& sizes = of(row).openSizes;
  kj::Vector<uint32_t> others;
  for (auto size : sizes) {
    if (size != diskMib) others.add(size);
  }
  sizes = kj::mv(others);
}

kj::Maybe<kj::StringPtr> Ledger::madeFor(kj::StringPtr requestId) const {
  return requests.find(requestId).map([](const kj::String& id) -> kj::StringPtr { return id; });
}

void Ledger::remember(kj::StringPtr requestId, kj::StringPtr id) {
  requests.upsert(kj::str(requestId), kj::str(id));
}

bool Ledger::isUnambiguous(kj::StringPtr requestId) const {
  kj::Maybe<const Ask&> first;
  for (auto& ask : asks) {
    if (ask.requestId != requestId) continue;
    KJ_IF_MAYBE (f, first) {
      if (f->name != ask.name || f->diskMib != ask.diskMib || f->start != ask.start) return false;
    } else {
      first = ask;
    }
  }
  return true;
}

}  // namespace bothy
