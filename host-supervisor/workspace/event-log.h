#pragma once

#include <kj/async.h>
#include <kj/refcount.h>

#include <compare>
#include <map>

#include "loop/slots.h"
#include "store/store.h"

namespace bothy {

// Reads of events that are put to the store at a time: the others wait here, and leave it room for whoever asks for something else.
constexpr size_t EVENT_READS_AT_ONCE = 16;

// The store's events for whoever wants to hear of new ones without asking again and again.
class EventLog final {
public:
  explicit EventLog(Store& store);
  KJ_DISALLOW_COPY_AND_MOVE(EventLog);

  // To be called with what each commit tells, and at first with what was found in the store.  Never fails.
  void reached(uint64_t lastEvent);

  struct Page final: public kj::Refcounted, public EventPage {
    explicit Page(EventPage page) : EventPage(kj::mv(page)) {}
    kj::Own<Page> addRef() { return kj::addRef(*this); }
  };
  // See Store::events().  All who ask for the same since the last event have one read.
  kj::Promise<kj::Own<Page>> read(uint64_t after, size_t limit);
  // The number of the oldest one that is kept; 0: there is none.
  kj::Promise<uint64_t> first();
  // 0: there is none yet.
  uint64_t newest() const { return last; }

  // Resolves when there is an event with a number above `after`.
  kj::Promise<void> beyond(uint64_t after);

private:
  struct Question {
    uint64_t after;
    size_t limit;
    uint64_t last;  // an answer tells nothing of what came after it
    auto operator<=>(const Question&) const = default;
  };
  // A read that somebody waits for.
  struct Reading final: public kj::Refcounted {
    Reading(EventLog& log, Question question);
    ~Reading() noexcept(false);
    KJ_DISALLOW_COPY_AND_MOVE(Reading);

    EventLog& log;
    const Question question;
    kj::ForkedPromise<kj::Own<Page>> page;
  };

  Store& store;
  uint64_t last = 0;
  kj::Own<kj::PromiseFulfiller<void>> fulfiller;
  kj::ForkedPromise<void> growth;
  Slots turns{EVENT_READS_AT_ONCE};
  std::map<Question, Reading*> readings;

  void arm();
  kj::Promise<kj::Own<Page>> readAlone(uint64_t after, size_t limit);
};

}  // namespace bothy
