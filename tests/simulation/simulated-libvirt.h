#pragma once

#include <deque>

#include "loop/worker.h"
#include "simulation/lifetime.h"
#include "simulation/simulated-host.h"
#include "vm/libvirt-session.h"

namespace bothy {

// The libvirt in one life of bothyd.  Its calls take no time of their own: when they are made is the matter of SimulatedWorkers.
class SimulatedLibvirt final: public LibvirtSession {
public:
  // Everything outlives it.
  SimulatedLibvirt(SimulatedHost& host, Lifetime& lifetime) : host(host), lifetime(lifetime) {}

  bool isAlive() const override { return true; }
  int create(kj::StringPtr xml, const DiskPassphrase& passphrase) const override;
  void resume(kj::StringPtr name) const override;
  void pause(kj::StringPtr name) const override;
  void destroy(kj::StringPtr name) const override;
  void save(kj::StringPtr name, kj::StringPtr path) const override;
  int restore(kj::StringPtr name, kj::StringPtr path, kj::StringPtr xml,
              const DiskPassphrase& passphrase) const override;
  kj::String monitor(kj::StringPtr name, kj::StringPtr command) const override;
  kj::Array<LibvirtDomain> list() const override;
  // What is metered is simulated by itself (metered-world).
  kj::Array<LibvirtCpuTime> cpuTimes() const override { return nullptr; }

private:
  SimulatedHost& host;
  Lifetime& lifetime;

  // Brings the domain about, with memory or without.
  int start(kj::StringPtr what, kj::StringPtr name, kj::StringPtr xml,
            const DiskPassphrase& passphrase, bool hasMemory) const;
  void mayFail(Fault fault, kj::StringPtr what, kj::StringPtr name) const;
};

// Workers without threads: a call is made at once or later in virtual time, and sometimes when nobody waits for it any more.
class SimulatedWorkers final: public WorkerSource {
public:
  SimulatedWorkers(SimulatedHost& host, Lifetime& lifetime) : host(host), lifetime(lifetime) {}

  kj::Own<Worker> newWorker(kj::StringPtr world) override;

private:
  SimulatedHost& host;
  Lifetime& lifetime;
};

}  // namespace bothy
