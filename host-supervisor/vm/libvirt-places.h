#pragma once

#include <sys/types.h>

#include <kj/map.h>
#include <kj/string.h>
#include <kj/vector.h>

namespace bothy {

// What the libvirt in this process calls what it has made for one machine.
struct MachinePlaces {
  // Of its directories, "NUMBER-NAME" with the beginning of the machine's name; more than one where libvirt was killed.
  kj::Vector<kj::String> domains;
  // Of its control groups, one in each hierarchy.
  kj::Vector<kj::String> groups;

  MachinePlaces clone() const;
};

// Those of all machines, so that the end of one looks for nothing among those of its neighbours.
class LibvirtPlaces final {
public:
  LibvirtPlaces() = default;
  KJ_DISALLOW_COPY_AND_MOVE(LibvirtPlaces);

  // Once, before a machine is started: those that are there by an earlier process's libvirt.  `root`: see libvirtRoot().
  void list(kj::StringPtr root);
  void add(kj::StringPtr domain);
  void addGroup(kj::StringPtr group);

  // From now on libvirt may make some for it, until learn() nobody knows which.
  void expect(kj::StringPtr machine);
  // All that libvirt makes for it is there: the domain of this number, and its QEMU.
  void learn(kj::StringPtr machine, int number, pid_t qemu);

  // nullptr: they are to be looked for.  One for which libvirt has made nothing has none.
  kj::Maybe<MachinePlaces> of(kj::StringPtr machine) const;
  // Nothing of it is left.
  void forget(kj::StringPtr machine);

private:
  // By the beginning of the machine's name, as libvirt has it.
  kj::HashMap<kj::String, kj::Vector<kj::String>> domains;
  kj::HashMap<kj::String, kj::Vector<kj::String>> groups;
  kj::HashSet<kj::String> expected;
};

// What libvirt takes of a machine's name into the names of its directories.
kj::String shortName(kj::StringPtr machine);

}  // namespace bothy
