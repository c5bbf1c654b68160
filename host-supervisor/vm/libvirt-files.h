#pragma once

#include <stdint.h>

#include <kj/array.h>
#include <kj/string.h>

#include "vm/libvirt-driver.h"
#include "vm/libvirt-places.h"

namespace bothy {

// One of those that libvirt makes for each domain.
struct DomainDirectory {
  kj::String path;
  kj::String domain;  // of its name, "domain-NUMBER-NAME", without the first word
  // The machine's user's, which only root can have given it.
  uint32_t group;
};

// All that there are below libvirt's root, also those of starts in which libvirt was killed; or those whose name ends so.
kj::Array<DomainDirectory> listDomainDirectories(kj::StringPtr root, kj::StringPtr suffix = ""_kj);

// What libvirt keeps of a machine in files.
class LibvirtFiles final {
public:
  // `user`: the machine's.
  LibvirtFiles(const LibvirtDriverSettings& settings, kj::StringPtr machine, uint32_t user);

  kj::String pidFile() const;

  // Tightens what libvirt leaves after a start: no file is for others, the key with which libvirt enciphers what it tells QEMU is
  // erased, as QEMU has it and the log has QEMU's arguments, and the machine's user can change nothing in the directory of the
  // monitor's socket.  `number` is the domain's.  Fails where they are not as they are known to be.
  //
  // A libvirt of the host's own keeps them as its administrator wants.
  void makePrivate(int number) const;

  // Before libvirt starts and connects to the machines that run: whether this one's monitor is the socket that libvirt made.  A
  // program in QEMU's place could have put a link to a neighbour's there while the directory was its user's (S20).  If it is not,
  // libvirt does not get to know of the machine, which goes on; the next call looks again.  `directories`: all of libvirt's.
  bool admitMonitor(kj::ArrayPtr<const DomainDirectory> directories) const;
  // Whether the last call of admitMonitor(), by this bothyd or an earlier one, kept it from libvirt.
  bool isWithheld() const;

  // What is left when its processes have ended: the log, which libvirt never removes, the control groups, which it leaves when it is killed
  // while it ends the machine, directories, where paths in them are too long for it, and all that it has of a machine that it does not know.
  // `places`: nullptr if they are to be looked for among those of all machines.
  void removeRest(const kj::Maybe<MachinePlaces>& places) const;

private:
  kj::Maybe<kj::String> root;  // of the libvirt in this process
  kj::String machine;
  uint32_t user;

  bool isOurs(const DomainDirectory& directory) const;
  void removeControlGroups(const kj::Maybe<MachinePlaces>& places) const;
  void removeDirectories(kj::StringPtr root, const kj::Maybe<MachinePlaces>& places) const;
};

}  // namespace bothy
