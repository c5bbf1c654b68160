#pragma once

#include <stdint.h>

#include <kj/string.h>

namespace bothy {

// What can go wrong in a simulated world.
enum class Fault : uint8_t {
  // The store.
  WRITE_REFUSED,
  END_REFUSED,  // that a machine has ended by itself
  READ_REFUSED,
  STORE_SLOW,
  STORE_DOUBT_IN,
  STORE_DOUBT_OUT,
  STORE_TAKEN_OVER,
  // Keys, disks, files, images.
  KEY_REFUSED,
  KEY_SLOW,  // it may be done when nobody waits for it any more
  VOLUME_REFUSED,
  VOLUME_FULL,
  VOLUME_SLOW,
  FILES_REFUSED,
  FILES_FULL,
  FILES_SLOW,
  IMAGE_GONE,
  IMAGE_BROKEN,
  // Below the driver: libvirt, processes, files of machines.
  CALL_FAILS,
  CALL_FAILS_LATE,  // it does what it should, and says that it failed
  CALL_SLOW,
  CALL_HANGS,  // beyond its deadline, and then it does what it should
  CREATE_FAILS_LATE,
  DEVICE_FAILS,
  DEVICE_SLOW,
  UNPLUG_IGNORED,
  PROCESSES_REFUSED,
  STORAGE_REFUSED,
  STORAGE_FULL,
  STORAGE_SLOW,
  // What comes by itself.
  MACHINE_ENDS,
  VSOCK_LOST,
  VSOCK_WORKER_LOST,
  // While no bothyd runs.
  DOMAIN_FORGOTTEN,
  PID_FILE_LOST,
  RECORD_DAMAGED,
  HOST_DISK_FULL,
  EVENT_LOST,
  EVENT_DOUBLED,
  CLOCK_JUMPS,
  KILL,
  POWER_CUT,  // beside a kill, or while no bothyd runs
  // The guest.
  GUEST_SILENT,
  GUEST_PANICS,
  GUEST_REBOOTS,
  AGENT_ABSENT,
  AGENT_SLOW,
  AGENT_MUTE,
  AGENT_REFUSES_SECRET,
  AGENT_OF_ANOTHER_GENERATION,
  AGENT_BREAKS_OFF,
  POWER_OFF_IGNORED,
  AGENT_KEEPS_LANES,  // it is told to end some, and gives no answer
  SETUP_STEP_FAILS,
  // The client.
  CLIENT_LEAVES,
  // While a workspace is hibernated: the file of an earlier sleep is in the place of this one's.
  MEMORY_PUT_BACK,
};

constexpr size_t FAULT_COUNT = static_cast<size_t>(Fault::MEMORY_PUT_BACK) + 1;

kj::StringPtr toString(Fault fault);
inline kj::StringPtr KJ_STRINGIFY(Fault fault) {
  return toString(fault);
}

}  // namespace bothy
