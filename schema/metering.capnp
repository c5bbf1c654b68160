@0xc3a8d9f6f2c1b7e5;
# What workspaces have had and taken, for whoever makes a bill of it.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bothy::rpc");
$Cxx.allowCancellation;

interface Metering {
  # Usage is booked up to a moment and goes on from there: no time is counted twice, and none is left out, also where bothyd is killed.  What is
  # lost at most, where a machine and bothyd end together, is what a machine did in the last 5 seconds; the time counts as that of the
  # state in which the workspace is found.  Of a machine that ends by itself, and was taken over from an earlier bothyd, as much of its processor
  # time is lost.
  #
  # Times are called by the host's clock; how long something took is measured by one that nobody sets.  So where the host's clock
  # is set, no time is counted twice or lost, but two records of a workspace may overlap, or leave a gap.

  records @0 (after :UInt64, limit :UInt32, choice :UsageChoice) -> (records :List(UsageRecord), through :UInt64, first :UInt64, mayGoOn :Bool);
  # Closed records with a number above `after`, in the order of their numbers, at most `limit` of them and never more than `maxUsageRecords`;
  # 0: that many.  Usage that is past is closed first: of a workspace that runs, each hour (UTC) by itself; of one that
  # stands still, when that changes, and each day (UTC).
  #
  # To read each record once: store `through` together with what was done with these, and ask again with it as `after`, at once where
  # `mayGoOn`, else from time to time.  A record never changes, and none comes with a lower number later.  `first` is the number
  # of the oldest that is kept, 0 if none is: if it is above `after` + 1, what was between them is not kept any more (`usageDays`).

  open @1 (after :Text, limit :UInt32, workspace :Text, user :Text) -> (records :List(UsageRecord), next :Text, through :UInt64);
  # What is in no record yet, up to this moment, by id of the workspace: `number` is 0.  What is in records up to `through` is not among it, and
  # what is in later ones is.  Of all workspaces, or of those of one id or name, and of one user.  For
  # people who look; it will be in records that are closed later, so it is not for a bill.  At most `limit` and
  # `maxUsageRecords`; `next`, if not empty, is the `after` of the next page.
}

struct UsageChoice {
  workspace @0 :Text;
  # An id, or a name, which several may have had one after the other; empty: all.
  sinceMillis @1 :Int64;
  untilMillis @2 :Int64;
  # Only records that overlap this time; milliseconds since 1970, 0: from the beginning, or to the end.
  user @3 :Text;
  # As the platform names him (user.capnp); empty: all.
}

struct UsageRecord {
  number @0 :UInt64;
  # Rises, and is never given twice.
  workspaceId @1 :Text;
  workspace @2 :Text;
  # Its name.
  fromMillis @3 :Int64;
  untilMillis @4 :Int64;
  usage @5 :WorkspaceUsage;
  user @6 :Text;
  # Whose it is (user.capnp); empty: nobody's.
}

struct WorkspaceUsage {
  # What one workspace had and took.  The times of the states are together that of the workspace: a record that is longer than an hour has one state
  # only, and no processor time.

  runningMillis @0 :Int64;
  # From its agent's answer on, until its machine is gone, or paused.
  pausedMillis @1 :Int64;
  hibernatedMillis @2 :Int64;
  stoppedMillis @3 :Int64;
  # There is no machine, or it is on its way to run and does not yet.
  expiredMillis @4 :Int64;
  failedMillis @5 :Int64;

  cpuMicros @6 :Int64;
  # Of the host's processors, by all threads of its QEMU, as the hypervisor counts it: what its guest computes and what QEMU does for it, the
  # encryption of its disk among it; the boot too.  In the hour in which it was seen.
  memoryMibMillis @7 :Int64;
  # The memory of its machine, MiB times milliseconds, while it runs or is paused.
  diskMibMillis @8 :Int64;
  # The size of its disk, in every state but `expired`, also where nothing was written yet.
}

const maxUsageRecords :UInt32 = 1000;
# On one page.

const usageDays :UInt32 = 90;
# That records are kept.
