#pragma once

#include <kj/array.h>
#include <kj/mutex.h>
#include <kj/refcount.h>
#include <kj/string.h>

#include <atomic>

#include "secret/secret.h"
#include "vm/libvirt-events.h"

namespace bothy {

// What opens a machine's disk.  libvirt keeps it while it starts the machine, and not after.
struct DiskPassphrase {
  kj::String usage;  // by which the domain's XML names it
  Secret text;
};

struct LibvirtDomain {
  enum class Condition {
    RUNS,
    STALLED,  // QEMU has stopped its CPUs after an I/O error
    PAUSED,   // its CPUs were not told to run yet, or somebody stopped them
    ENDED,    // its guest is over, and its QEMU is about to be
  };
  kj::String name;
  Condition condition;
};

struct LibvirtCpuTime {
  kj::String name;
  // Of the domain's QEMU, all its threads.
  uint64_t nanos;
};

// A connection to libvirt.  Its calls block, may hang, and fail with FAILED when libvirt says no.  Any number
// of threads.
class LibvirtSession: public kj::AtomicRefcounted {
public:
  struct Place {
    kj::String uri;
    // Where secrets lie that are not at `uri`, which is so with the driver in this process and no other.
    kj::String secretUri;
  };

  static kj::Own<const LibvirtSession> open(const Place& place, const LibvirtEventBox& box);

  // False when it will answer nothing any more.
  virtual bool isAlive() const = 0;

  // A transient domain whose CPUs do not run yet; its number within libvirt.
  virtual int create(kj::StringPtr xml, const DiskPassphrase& passphrase) const = 0;
  virtual void resume(kj::StringPtr name) const = 0;
  // Stops its CPUs.  Success also for a domain whose CPUs stand still, for whatever reason.
  virtual void pause(kj::StringPtr name) const = 0;
  // Success also for a domain that does not exist, or ends meanwhile.
  virtual void destroy(kj::StringPtr name) const = 0;
  // Of a domain whose CPUs stand still: writes its memory to a file that is there, and ends it.
  virtual void save(kj::StringPtr name, kj::StringPtr path) const = 0;
  // As create(), of a domain that goes on with that memory.
  virtual int restore(kj::StringPtr name, kj::StringPtr path, kj::StringPtr xml,
                      const DiskPassphrase& passphrase) const = 0;
  // One command in QEMU's JSON; fails when QEMU answers with an error.  The answer as JSON.
  virtual kj::String monitor(kj::StringPtr name, kj::StringPtr command) const = 0;
  virtual kj::Array<LibvirtDomain> list() const = 0;
  // Of the domains that run.  Asks no QEMU.
  virtual kj::Array<LibvirtCpuTime> cpuTimes() const = 0;
};

// The session that is used now.
class LibvirtSessions final: public kj::AtomicRefcounted {
public:
  // `session`: the one that is used for ever, in the place of one at `place`.
  LibvirtSessions(LibvirtSession::Place place, kj::Own<const LibvirtEventBox> box,
                  kj::Maybe<kj::Own<const LibvirtSession>> session = nullptr)
      : place(kj::mv(place)),
        box(kj::mv(box)),
        isGiven(session != nullptr),
        current(kj::mv(session)) {}

  // Opens one where there is none, or the present one has died or was condemned.  May block.
  kj::Own<const LibvirtSession> get() const;

  // The session has a call that hangs: the next call gets another.  Not with a driver in this process, which is
  // the same for every session, and which libvirt 11.3 opens once (its secrets), or twenty times (the rest).
  void condemn() const;

private:
  LibvirtSession::Place place;
  kj::Own<const LibvirtEventBox> box;
  const bool isGiven;
  mutable std::atomic<bool> isCondemned = false;
  kj::MutexGuarded<kj::Maybe<kj::Own<const LibvirtSession>>> current;

  bool isLasting() const { return isGiven || place.secretUri.size() > 0; }
};

}  // namespace bothy
