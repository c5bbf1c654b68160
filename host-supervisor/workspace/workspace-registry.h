#pragma once

#include <kj/table.h>

#include "schema/limits.capnp.h"
#include "workspace/workspace-entry.h"

namespace bothy {

// One bit of ListQuery::states.
constexpr uint32_t listBit(WorkspaceState state) {
  return 1u << static_cast<uint32_t>(state);
}

// Which workspaces are listed, and from where on.
struct ListQuery {
  // Of workspaces on one page.
  static constexpr size_t MAX_PAGE = rpc::MAX_LISTED_WORKSPACES;

  // Names that begin so.
  kj::StringPtr prefix = nullptr;
  // Of listBit(); 0: all.
  uint32_t states = 0;
  // As WorkspaceRow has them: those that have all of these.
  kj::StringPtr labels = nullptr;
  // Names behind this one.
  kj::StringPtr after = nullptr;
  size_t limit = MAX_PAGE;
};

// Holds until something happens.
struct ListPage {
  // By name.
  kj::Array<WorkspaceView> workspaces;
  // ListQuery::after of the next page; empty: this is the last.  A page without workspaces may have a next one.
  kj::StringPtr next = nullptr;
};

// Which workspaces of users are listed, and from where on.
struct UserQuery {
  // Whose; empty: all users'.
  kj::StringPtr user = nullptr;
  // Behind the one of this user that he calls so, whether it is there or not.
  struct Place {
    kj::StringPtr user;
    kj::StringPtr name;
  };
  kj::Maybe<Place> after;
  size_t limit = ListQuery::MAX_PAGE;
};

// Holds until something happens.
struct UserPage {
  // By user and what he calls them.
  kj::Array<WorkspaceView> workspaces;
  // UserQuery::after of the next page; none: this is the last.
  kj::Maybe<UserQuery::Place> next;
};

// All workspaces of this host.  Of each it has a small entry; a Workspace only of those on which something is under way, which run, or
// which somebody holds.
class WorkspaceRegistry final: private Workspace::Owner, private kj::TaskSet::ErrorHandler {
public:
  WorkspaceRegistry(World& world, MachineLeases& leases, HostCapacity& capacity);
  ~WorkspaceRegistry() noexcept(false);
  KJ_DISALLOW_COPY_AND_MOVE(WorkspaceRegistry);

  // All that the store has.  Those that are not at rest, or have something left on the host besides a disk, in no order.
  kj::Vector<kj::Own<Workspace>> enter(const StoredState& state);
  // One that is new, and whose rows are in the store.
  kj::Own<Workspace> add(WorkspaceJournal::Rows rows);

  // Is called with the id of each that exists no more.
  void onGone(kj::Function<void(kj::StringPtr)> listener) { goneListener = kj::mv(listener); }

  size_t size() const { return entries.size(); }
  // Of which there are objects.
  size_t objects() const { return objectCount; }
  // Nothing is under way, but within the objects(), and no object of a workspace that is gone is left.
  bool isIdle() { return graves.empty() && tasks.isEmpty(); }
  bool has(kj::StringPtr id) const { return entries.find<BY_ID>(id) != nullptr; }
  kj::Maybe<kj::Own<Workspace>> find(kj::StringPtr name);
  kj::Maybe<kj::Own<Workspace>> byId(kj::StringPtr id);
  // The one that this user calls so.
  kj::Maybe<kj::Own<Workspace>> ofUser(kj::StringPtr user, kj::StringPtr name);
  // One that is busy or held; of any other nothing can be reported.
  kj::Maybe<Workspace&> present(kj::StringPtr id);

  kj::Maybe<WorkspaceView> view(kj::StringPtr name);
  kj::Maybe<WorkspaceView> viewById(kj::StringPtr id);
  ListPage list(const ListQuery& query);
  UserPage listOfUsers(const UserQuery& query);

private:
  struct ByName {
    kj::StringPtr keyForRow(const WorkspaceEntry& entry) const { return entry.name(); }
    bool isBefore(const WorkspaceEntry& entry, kj::StringPtr name) const {
      return entry.name() < name;
    }
    bool matches(const WorkspaceEntry& entry, kj::StringPtr name) const {
      return entry.name() == name;
    }
  };
  struct ById {
    kj::StringPtr keyForRow(const WorkspaceEntry& entry) const { return entry.id(); }
    bool matches(const WorkspaceEntry& entry, kj::StringPtr id) const { return entry.id() == id; }
    kj::uint hashCode(kj::StringPtr id) const { return kj::hashCode(id); }
  };
  // Those of nobody come first, by their names.
  struct UserKey {
    kj::StringPtr user, name, workspace;
    bool operator==(const UserKey& other) const {
      return user == other.user && name == other.name && workspace == other.workspace;
    }
    bool operator<(const UserKey& other) const {
      if (user != other.user) return user < other.user;
      return name == other.name ? workspace < other.workspace : name < other.name;
    }
  };
  struct ByUser {
    UserKey keyForRow(const WorkspaceEntry& entry) const {
      const auto user = entry.user();
      return {user, entry.userName(), user.size() == 0 ? entry.name() : kj::StringPtr()};
    }
    bool isBefore(const WorkspaceEntry& entry, const UserKey& key) const {
      return keyForRow(entry) < key;
    }
    bool matches(const WorkspaceEntry& entry, const UserKey& key) const {
      return keyForRow(entry) == key;
    }
  };
  static constexpr size_t BY_NAME = 0, BY_ID = 1, BY_USER = 2;
  // Entries that one page looks at: a filter that none passes makes no call long.
  static constexpr size_t MAX_LOOKED_AT = 4 * ListQuery::MAX_PAGE;

  World& world;
  MachineLeases& leases;
  HostCapacity& capacity;
  Workspace::Owner& owner() { return *this; }
  kj::Table<WorkspaceEntry, kj::TreeIndex<ByName>, kj::HashIndex<ById>, kj::TreeIndex<ByUser>>
      entries;
  // Of workspaces that are gone, until what still runs within them has returned.
  kj::Vector<kj::Own<Workspace>> graves;
  size_t objectCount = 0;
  kj::Function<void(kj::StringPtr)> goneListener = [](kj::StringPtr) {};
  kj::TaskSet tasks;

  kj::Own<Workspace> objectOf(WorkspaceEntry& entry);
  void releaseIfIdle(kj::StringPtr id);
  void gone(Workspace& workspace) override;
  void keep(kj::Promise<void> work) override;
  void changed(Workspace& workspace) override;
  void released(Workspace& workspace, const WorkspaceJournal::Rows& rows) override;
  void taskFailed(kj::Exception&& exception) override;
};

}  // namespace bothy
