#pragma once

#include <kj/async.h>
#include <kj/string.h>
#include <kj/timer.h>

#include "loop/worker.h"
#include "vm/kvm-node.h"
#include "vm/libvirt-limits.h"
#include "vm/libvirt-session.h"
#include "vm/turn-listener.h"

namespace bothy {

// libvirt, as far as the driver needs it, on threads of its own: some start machines, some end them, some do the
// rest.  A machine has one call of each of these kinds under way at a time.  A call has a deadline, which counts from
// its beginning, and fails with OVERLOADED when libvirt does not answer within it, with FAILED when libvirt says no.
//
// A call that is slow or hangs costs no other machine anything (MachineWorkers).  Further calls for the machine of one
// that hangs are refused at once, but destroy(), which as a rule frees it.
//
// Domains outlive the connection and the process.  Dropping it closes it.  One a process.
class LibvirtConnection {
public:
  struct Settings {
    LibvirtSession::Place place;
    LibvirtLimits limits;
    // For a libvirt in this process.
    KvmNode kvm;
    // Given by tests, in the place of libvirt.
    kj::Maybe<kj::Own<const LibvirtSession>> session = nullptr;
    // Of what such a session tells.
    kj::Maybe<kj::Own<LibvirtEventBox>> events = nullptr;
    // Given by simulations, in the place of threads.
    kj::Maybe<kj::Own<WorkerSource>> workers = nullptr;
  };

  static kj::Promise<kj::Own<LibvirtConnection>> open(kj::Timer& timer, Settings settings);

  // The next event of any domain.  One caller at a time.
  virtual kj::Promise<LibvirtEvent> nextEvent() = 0;

  // A transient domain whose CPUs do not run yet; its number within libvirt.  Where it fails, or is dropped, the
  // domain may come to be yet, as long as isCalled() says so.  `listener` outlives the promise.
  virtual kj::Promise<int> create(kj::StringPtr name, kj::String xml, DiskPassphrase passphrase,
                                  kj::Maybe<TurnListener&> listener = nullptr) = 0;
  // As create(), of a domain that goes on with the memory that save() has left in the file at `path`, which this process can open.
  virtual kj::Promise<int> restore(kj::StringPtr name, kj::String path, kj::String xml,
                                   DiskPassphrase passphrase,
                                   kj::Maybe<TurnListener&> listener = nullptr) = 0;
  // A call for the machine is under way, whether or not somebody waits for it: what it should do it may do yet, and to another domain
  // of that name if there is one by then.
  virtual bool isCalled(kj::StringPtr name) = 0;
  // No call is under way or waits, also of those that nobody waits for, and none is remembered.
  virtual bool isIdle() = 0;
  // Success also for a domain whose CPUs run.
  virtual kj::Promise<void> resume(kj::StringPtr name) = 0;
  // Success also for a domain whose CPUs stand still.
  virtual kj::Promise<void> pause(kj::StringPtr name) = 0;
  // Success also for a domain that does not exist, or ends meanwhile.
  virtual kj::Promise<void> destroy(kj::StringPtr name) = 0;

  // Of a domain whose CPUs stand still: writes its memory to the file at `path`, which is there, and ends it.
  virtual kj::Promise<void> save(kj::StringPtr name, kj::String path) = 0;

  // One command in QEMU's JSON; fails when QEMU answers with an error.  The answer as JSON.
  virtual kj::Promise<kj::String> monitor(kj::StringPtr name, kj::String command) = 0;

  virtual kj::Promise<kj::Array<LibvirtDomain>> list() = 0;
  // Of the domains that run.  One call at a time: where one hangs, others are refused until it ends.
  virtual kj::Promise<kj::Array<LibvirtCpuTime>> cpuTimes() = 0;
};

}  // namespace bothy
