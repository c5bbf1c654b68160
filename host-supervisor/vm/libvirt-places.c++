#include "vm/libvirt-places.h"

#include "vm/control-groups.h"
#include "vm/libvirt-files.h"

namespace bothy {
namespace {

constexpr size_t SHORT_NAME_CHARS = 20;

void addTo(kj::HashMap<kj::String, kj::Vector<kj::String>>& map, kj::StringPtr key,
           kj::StringPtr value) {
  auto create = [&]() -> kj::HashMap<kj::String, kj::Vector<kj::String>>::Entry {
    return {kj::str(key), {}};
  };
  map.findOrCreate(key, create).add(kj::str(value));
}

kj::Vector<kj::String> copyOf(const kj::Vector<kj::String>& strings) {
  kj::Vector<kj::String> copy(strings.size());
  for (auto& string : strings) copy.add(kj::str(string));
  return copy;
}

}  // namespace

kj::String shortName(kj::StringPtr machine) {
  return kj::heapString(machine.slice(0, kj::min(machine.size(), SHORT_NAME_CHARS)));
}

MachinePlaces MachinePlaces::clone() const {
  return {copyOf(domains), copyOf(groups)};
}

void LibvirtPlaces::list(kj::StringPtr root) {
  for (auto& directory : listDomainDirectories(root)) add(directory.domain);
  // The same names in each hierarchy, unless libvirt was killed.
  kj::HashSet<kj::String> names;
  for (auto& mount : controlGroupMounts()) {
    for (auto& group : listControlGroups(mount)) names.upsert(kj::mv(group), [](auto&, auto&&) {});
  }
  for (auto& name : names) addGroup(name);
}

void LibvirtPlaces::add(kj::StringPtr domain) {
  KJ_IF_MAYBE (dash, domain.findFirst('-')) addTo(domains, domain.slice(*dash + 1), domain);
}

void LibvirtPlaces::addGroup(kj::StringPtr group) {
  KJ_IF_MAYBE (machine, machineOfControlGroup(group)) addTo(groups, *machine, group);
}

void LibvirtPlaces::expect(kj::StringPtr machine) {
  expected.upsert(kj::str(machine), [](auto&, auto&&) {});
}

void LibvirtPlaces::learn(kj::StringPtr machine, int number, pid_t qemu) {
  auto own = controlGroupsOf(qemu, machine);
  KJ_IF_MAYBE (names, own) {
    for (auto& group : *names) addTo(groups, machine, group);
    add(kj::str(number, "-", shortName(machine)));
    expected.eraseMatch(machine);
  }
}

kj::Maybe<MachinePlaces> LibvirtPlaces::of(kj::StringPtr machine) const {
  if (expected.contains(machine)) return nullptr;
  MachinePlaces places;
  KJ_IF_MAYBE (found, domains.find(shortName(machine))) places.domains = copyOf(*found);
  KJ_IF_MAYBE (found, groups.find(machine)) places.groups = copyOf(*found);
  return kj::mv(places);
}

void LibvirtPlaces::forget(kj::StringPtr machine) {
  domains.erase(shortName(machine));
  groups.erase(machine);
  expected.eraseMatch(machine);
}

}  // namespace bothy
