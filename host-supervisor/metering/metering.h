#pragma once

#include <kj/map.h>
#include <kj/timer.h>

#include "loop/log-pace.h"
#include "loop/slots.h"
#include "metering/machine-times.h"
#include "metering/meter.h"
#include "metering/metered-host.h"
#include "store/usage-store.h"
#include "workspace/event-log.h"

namespace bothy {

// So often what happened is booked, in one transaction: as much of it is lost at most where a machine and bothyd end together.
constexpr kj::Duration METERING_INTERVAL = 5 * kj::SECONDS;
// Of meters that are closed at a time because somebody looks.
constexpr size_t METERS_CLOSED_AT_ONCE = 1000;

// Measures what workspaces have and take.  It observes: it reads the feed of events, the list of workspaces and the hypervisor's counters, and
// nobody waits for it.  What it costs is proportional to the machines that run and to what happens; the time of a workspace that stands
// still is booked when that changes, or when somebody looks.
//
// Each meter is booked up to a moment, and what follows begins there: no time is counted twice and none is left out, whatever happens to bothyd.
class Metering final {
public:
  // All of it outlives it.
  Metering(UsageStore& store, EventLog& events, MeteredHost& host, kj::Timer& timer);
  KJ_DISALLOW_COPY_AND_MOVE(Metering);

  // Once, after the list of workspaces is complete.  Goes on for ever; what fails is tried again.
  kj::Promise<void> run();

  struct Page: public UsagePage {
    // There may be more behind the last of these.
    bool mayGoOn = false;
  };
  // Records, after what is past was closed.  Of those that are told each is told once to whoever asks on behind the last.
  kj::Promise<Page> records(UsageQuery query);

  // What is booked and in no record yet, up to now.
  struct Open {
    // By id of the workspace; without numbers.
    kj::Array<UsageRecord> records;
    // Where to go on; empty: nowhere.
    kj::String next;
    // The number of the last record in which nothing of this is.
    uint64_t through = 0;
  };
  kj::Promise<Open> open(kj::String after, size_t limit, kj::String workspace,
                         kj::String user = nullptr);

  // Books what has happened, also between two intervals.
  kj::Promise<void> book();

private:
  UsageStore& store;
  EventLog& events;
  MeteredHost& host;
  kj::Timer& timer;
  LogPace failures;
  // Who changes meters, one after the other.
  Slots turn{1};

  // As the store has it, since it was read.
  bool isKnown = false;
  kj::HashMap<kj::String, MeterRow> polled;
  uint64_t eventsThrough = 0;
  uint64_t lastNumber = 0;
  // The last look at what happens that is stored.
  Moment last, lastOfBootBefore;
  // Those in this life that could not be stored.
  struct LookInVain {
    Moment at;
    uint64_t eventsThrough;
  };
  kj::Vector<LookInVain> looks;
  kj::Maybe<kj::TimePoint> booked;
  MachineTimes times;
  // The last look at machines was in vain, and some may have ended.
  bool owesLook = false;
  // Of the last transaction, whatever became of it: its moment, and the workspaces whose machines' times are in it.
  Moment attempted;
  kj::HashSet<kj::String> consumed;

  // What one transaction is made of.
  struct Booking {
    UsageChange change;
    kj::HashMap<kj::String, MeterRow> meters;
    kj::HashSet<kj::String> gone;
    kj::HashSet<kj::String> consumed;
  };
  // What runs is a row in a whole one, and not where something else has happened.
  enum class Look { WHOLE, EVENTS };
  using Pages = kj::Vector<kj::Own<EventLog::Page>>;

  kj::Promise<void> know();
  kj::Promise<void> bookAlone(Look look);
  kj::Promise<void> bookUnlessFresh();
  kj::Promise<void> enterAll();
  kj::Promise<void> leaveStrangers(const Moment& now);
  kj::Promise<bool> closeDue();
  kj::Promise<Pages> happened(Booking& booking);
  kj::Promise<void> see(Look look, const Pages& pages);
  kj::Promise<void> load(Booking& booking, kj::Array<kj::StringPtr> of);
  kj::Promise<void> loadEnded(Booking& booking);
  void follow(Booking& booking, const EventRecord& event, const Moment& now);
  void pass(MeterRow& row, Meter& meter, const Moment& until);
  void passToLast(const MeterRow& row, Meter& meter);
  void poll(Booking& booking);
  void consume(Booking& booking);
  void forgetTimes();
  kj::Promise<void> commit(Booking booking);
  Moment momentOf(const EventRecord& event, const Moment& now) const;
  void noteLook(const Moment& at, uint64_t through);
  const Moment& lookBefore(const EventRecord& event) const;
  static bool wasSet(const Moment& then, const Moment& now);
};

}  // namespace bothy
