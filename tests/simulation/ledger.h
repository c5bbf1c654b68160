#pragma once

#include <kj/map.h>
#include <kj/vector.h>

#include "store/records.h"

namespace bothy {

// What clients asked for, and what they were told.  It outlives every bothyd: told is told.
class Ledger final {
public:
  Ledger() = default;
  KJ_DISALLOW_COPY_AND_MOVE(Ledger);

  struct Facts {
    kj::String name;
    bool created = false;
    bool deleteAsked = false;
    bool deleted = false;
    uint64_t startsAsked = 0;
    uint64_t stopsAsked = 0;
    uint64_t haltsAsked = 0;  // pauses and resumes
    // A stop was acknowledged, and no start asked for since.
    bool isOff = false;
    // The largest size that was acknowledged.
    uint32_t diskMib = 0;
    // Sizes that were asked for and neither acknowledged nor refused.
    kj::Vector<uint32_t> openSizes;
  };

  struct Ask {
    kj::String requestId;
    kj::String name;
    uint32_t diskMib;
    bool start;
    Ask clone() const { return {kj::str(requestId), kj::str(name), diskMib, start}; }
  };

  const kj::TreeMap<kj::String, Facts>& all() const { return byId; }
  Facts& of(const WorkspaceRow& row);

  // Up to which event each watcher has heard.
  static constexpr size_t WATCHERS = 2;
  uint64_t heard[WATCHERS] = {};
  // Calls of a client that are not answered yet.
  size_t waiting = 0;
  // Calls left to be made.
  size_t budget = 0;
  // Starts of a crowd.
  size_t started = 0, notStarted = 0;
  // Calls under way that bring up a user's workspace.
  size_t ensuring = 0;
  // Calls that were told so.
  size_t ensured = 0;
  size_t expired = 0;
  size_t paused = 0, resumed = 0, hibernated = 0;
  // Those made and answered.
  size_t answered = 0;
  // Requests with an id, to be repeated.
  kj::Vector<Ask> asks;

  void created(const WorkspaceRow& row);
  void deleteAsked(const WorkspaceRow& row);
  // So often a delete was asked for by that name.
  uint64_t deletesAsked(kj::StringPtr name);
  void resizeAsked(const WorkspaceRow& row, uint32_t diskMib);
  void resizeRefused(const WorkspaceRow& row, uint32_t diskMib);

  // A session that a client was told of.
  struct SessionFacts {
    kj::String id;
    kj::String workspaceId;
    kj::String token;
    // It lives longer than any world.
    bool isLong;
    bool revokeAsked = false;
    bool revoked = false;  // and told
    bool cut = false;      // and told so
  };
  kj::Vector<kj::Own<SessionFacts>> sessions;

  // The workspace that a request id stood for when it was last acknowledged.
  kj::Maybe<kj::StringPtr> madeFor(kj::StringPtr requestId) const;
  void remember(kj::StringPtr requestId, kj::StringPtr id);
  // Whether all requests of this id asked for the same.
  bool isUnambiguous(kj::StringPtr requestId) const;

private:
  kj::TreeMap<kj::String, Facts> byId;
  kj::TreeMap<kj::String, uint64_t> deletes;
  kj::TreeMap<kj::String, kj::String> requests;
};

}  // namespace bothy
