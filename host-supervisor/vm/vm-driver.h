#pragma once

#include <kj/array.h>
#include <kj/async-io.h>
#include <kj/async.h>
#include <kj/common.h>
#include <kj/function.h>
#include <kj/string.h>

#include "secret/secret.h"
#include "vm/turn-listener.h"

namespace bothy {

// What a machine may read from its own disk and write to it in a second; 0: no limit.
struct IoLimits {
  uint64_t readBytes = 0;
  uint64_t writeBytes = 0;
  uint64_t readOperations = 0;
  uint64_t writeOperations = 0;

  bool operator==(const IoLimits& other) const = default;
};

// What one machine is made of.  A value: the driver turns it into a domain.
struct VmSpec {
  // Names the machine on this host: [a-z0-9-]{1,63}, the workspace's id.  No text of a user gets here.
  kj::String name;
  uint32_t cpus;
  uint64_t memoryBytes;

  // Files that every VM of an image shares: world-readable, never given to the VM's uid.
  kj::String kernel;
  kj::String initramfs;
  kj::String rootImage;  // erofs, attached read-only as the first disk

  // The workspace's own disk, a volume (qcow2 encrypted as LUKS, see volume/README.md), attached as the second
  // disk.  It belongs to `uid` already.
  kj::String dataDisk;
  // What opens it: bytes whose lower-case hexadecimal digits are the LUKS passphrase.  Needed by start();
  // adopt() ignores it.
  kj::Maybe<Secret> diskKey;

  IoLimits io;

  // QEMU and its vsock device run as this user and group id, which no other VM on the host has.
  uint32_t uid;

  // At least 3, unique on the host: the guest's vsock address.
  uint32_t cid;

  kj::String commandLine;

  // Handed to the guest as fw_cfg file `opt/bothy/secret`: in no argv and no environment.
  kj::Array<const kj::byte> secret;

  // Of one to be adopted: how its CPUs are to be found.  EITHER: as they were left.
  enum class Cpus { RUN, STAND_STILL, EITHER };
  Cpus found = Cpus::RUN;

  // A directory of this VM alone (sockets, secret file, XML), made by the caller; the driver may write
  // into it and empties it when the machine is gone.
  kj::String runtimeDir;
  // The console goes here; the driver keeps it below CONSOLE_LIMIT_BYTES.
  kj::String consoleLog;
};

// Where the memory of a machine is while it is not there: a file that whoever has `key` can open, as VmSpec::diskKey opens a disk, and
// that is large enough; see volume/memory-store.h.
struct MemoryFile {
  kj::String path;
  Secret key;
};

// Why a machine is gone.
enum class VmEnd {
  POWERED_OFF,  // the guest turned itself off
  REBOOTED,     // the guest asked for a reboot; the machine was ended instead
  CRASHED,      // the guest's kernel panicked
  DESTROYED,    // by destroy()
  EXITED,       // QEMU ended without being told: killed, or a fault of its own
};

// What is looked at of a console to learn why its machine ended.
constexpr size_t CONSOLE_END_BYTES = 4096;

// A machine that runs.  Dropping the object leaves the machine running (bothyd may be restarted at any
// time); destroy() ends it.
class RunningVm {
public:
  // A new stream to the guest's vsock port.  Fails with DISCONNECTED while nothing listens there or
  // the vsock device is being replaced.  No deadline of its own: the caller sets one.
  virtual kj::Promise<kj::Own<kj::AsyncIoStream>> dial(uint32_t port) = 0;

  // Resolves when the machine is gone and nothing of it is left on the host (domain, processes, sockets).
  // Any number of callers.
  virtual kj::Promise<VmEnd> onEnd() = 0;

  // Ends the machine at once.  Returns when onEnd() would; ending one that is gone is success.
  virtual kj::Promise<void> destroy() = 0;

  // Whether it is certain to be gone soon: its QEMU has exited, its guest has ended it, or destroy() was called.  Streams to its guest
  // break then, and onEnd() may take much longer.
  virtual bool isEnding() = 0;

  // Ends every stream that goes through its vsock device, which another replaces; at most once in a while.  Does nothing
  // where the vsock is the kernel's: that ends streams by itself.
  virtual void renewVsock() = 0;

  // Stops its CPUs, and keeps its memory.  Its vsock device is taken off first, which ends every stream to its guest unless
  // keepsStreams(); none is dialled, and nothing is done about its vsock or a full disk, before resume().  Success where it is paused
  // already.  If this fails the CPUs run, or will as soon as libvirt obeys.
  virtual kj::Promise<void> pause() = 0;
  // Lets its CPUs go on, and gives it a vsock again; returns when they run, or will when the host's disk has room.  Success where they
  // do.  If this fails they stand still, or will as soon as libvirt obeys.
  virtual kj::Promise<void> resume() = 0;
  // From the call of pause() on until resume() has succeeded; also of one that an earlier process has paused.
  virtual bool isPaused() = 0;
  // Whether streams to its guest outlast a pause: where the vsock is the kernel's, nobody takes it off.
  virtual bool keepsStreams() = 0;

  // Of one that is paused: writes its memory and the state of its devices to `file`, and ends it.  Returns when onEnd() would, and all is
  // with the host's file system.  If this fails it is paused as before, or has ended.  No plain byte of it is on the host's disk.
  virtual kj::Promise<void> save(MemoryFile file) = 0;

  // Limits its disk from now on; what it asks for beyond that waits.  At a start and at a takeover it has the limits of its spec.
  virtual kj::Promise<void> limitIo(IoLimits limits) = 0;

  // Whether its CPUs stand still because a write found no room on the host's disk.  It goes on by itself when there
  // is room.
  virtual bool isStalled() = 0;

  // The user id of its processes, which no other machine has.
  virtual uint32_t user() = 0;

  // The last CONSOLE_END_BYTES of what its console said, whether or not that is in the file by now; of what it said to an earlier process,
  // only what the file has, once that is open.  Empty if there is nothing.  All that this process hears is there when onEnd() resolves.
  virtual kj::Array<kj::byte> consoleEnd() = 0;

  // Whether that is all that it has said.  It may not be where the machine was taken over: QEMU drops what its console says while nobody
  // listens, and the file with what an earlier process heard may not be open yet.
  virtual bool isConsoleKnown() { return true; }

  // For people and tests.
  virtual uint64_t qemuPid() = 0;
};

// What a machine has taken of its host's processors.
struct VmConsumption {
  kj::String name;
  // Names its QEMU as long as the host is not booted again: another has another.
  uint64_t qemu;
  // By all of QEMU's threads, since it began: what its guest computes, and what QEMU does for it.
  uint64_t cpuNanos;
};

// What the host can do, found by trying.
struct HostAbilities {
  enum class Accelerator { KVM, TCG };
  enum class Vsock { KERNEL, VHOST_USER };
  Accelerator accelerator;
  Vsock vsock;
  // Why not the better one, for people; empty where it is the better one.
  kj::String acceleratorReason;
  kj::String vsockReason;
  // What made a machine's memory and can go on with it, one line: QEMU, the kind of machine, the processor.  Memory that was saved where
  // this was another is nothing to this host.
  kj::String memoryFormat = nullptr;
};

// Starts machines and finds those that run.
class VmDriver {
public:
  // Notices that belong to a machine rather than to a call.
  class Events {
  public:
    // The vsock device's process ended; it is being replaced and every stream through it is broken.
    virtual void vsockLost(kj::StringPtr vmName) = 0;
    virtual void vsockRestored(kj::StringPtr vmName) = 0;
    // Many tries to replace it have failed; they go on, with long pauses.  Once between its loss and its return.
    virtual void vsockNotRestored(kj::StringPtr vmName) = 0;
    // A write found no room on the host's disk, and the machine's CPUs stand still; or it goes on.  Also told of
    // a machine that stands still when it is taken over.
    virtual void diskFull(kj::StringPtr vmName) = 0;
    virtual void diskFreed(kj::StringPtr vmName) = 0;
  };

  virtual const HostAbilities& abilities() = 0;

  // Names who is told of events from now on; it must outlive the driver.  Before it is named, events
  // are lost.  Called from the event loop, never from within a call to the driver.
  virtual void setEvents(Events& events) = 0;

  // Returns when the machine's CPUs run.  If it fails, or the promise is dropped, nothing is left over.
  // The exception's description is one line for people.  Where others start first, `listener` is told; it outlives the
  // promise, and may be called from within this call.
  virtual kj::Promise<kj::Own<RunningVm>> start(VmSpec spec,
                                                kj::Maybe<TurnListener&> listener = nullptr) = 0;

  // As start(), of a machine that goes on with the memory that save() has left in `file`: its CPUs stand still, as after
  // RunningVm::pause(), until RunningVm::resume(): until that is called the memory may be used again.  `spec` is that of the machine that
  // was saved, but for its user id and address.
  virtual kj::Promise<kj::Own<RunningVm>> restore(VmSpec spec, MemoryFile file,
                                                  kj::Maybe<TurnListener&> listener = nullptr) = 0;

  // Takes over a machine that an earlier process started and that still runs, given the same spec; nullptr if there is
  // none: its QEMU or its guest has ended, or never ran, and nothing of it is left.  Fails if there is one that cannot
  // be taken over: it goes on as it is, and may be taken over later.  Any number at a time.
  virtual kj::Promise<kj::Maybe<kj::Own<RunningVm>>> adopt(VmSpec spec) = 0;

  // Ends the machine of this name, whoever started it, or does nothing if there is none.  Returns when nothing of
  // it is left on the host, also of a start whose promise was dropped.  `user`: its user id, where the caller knows it; where this
  // driver's record of the machine is damaged, that tells whose its processes are.
  virtual kj::Promise<void> remove(kj::StringPtr name, kj::Maybe<uint32_t> user = nullptr) = 0;

  // The user ids under which something of machines may run now; without one where this driver's record of a machine is damaged.
  struct MachineUser {
    kj::String name;
    kj::Maybe<uint32_t> uid;
  };
  // As it is at one moment.  No deadline of its own: it takes as long as the disk does that has the records.
  virtual kj::Promise<kj::Array<MachineUser>> users() = 0;

  // Of the machines that run, as the hypervisor counts it, all at once; before them, once, of each that has ended, as far as that is known.
  virtual kj::Promise<kj::Array<VmConsumption>> consumption() = 0;

  // Resolves when no dial is under way, and lets none begin while it is held.  A process that ends at another moment may end a vsock
  // device with the dial that it breaks off, and so every stream of a machine.  No deadline of its own: the caller sets one.
  virtual kj::Promise<void> whenNotDialling() = 0;

  // Resolves when the files of consoles have what these have said, as far as they can be written.  No deadline of its own: the caller sets
  // one.
  virtual kj::Promise<void> whenConsolesWritten() = 0;
};

// Size that a console log may reach; what exceeds it replaces the oldest half (S09).
constexpr uint64_t CONSOLE_LIMIT_BYTES = 1024 * 1024;

}  // namespace bothy
