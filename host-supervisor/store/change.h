#pragma once

#include <kj/one-of.h>
#include <kj/vector.h>

#include "store/records.h"

namespace bothy {

// What is to be stored together, or not at all: steps, carried out in their order, and events of them.
struct Change {
  // The row's key is new, and so is what is unique in it.
  template <typename Row>
  struct Add {
    Row row;
  };
  // A row of that key exists.  What never changes of it is not looked at.
  template <typename Row>
  struct Update {
    Row row;
  };
  // Together with its machine, operation and request ids.
  struct RemoveWorkspace {
    kj::String id;
  };
  struct RemoveOperation {
    kj::String id;
  };
  using Step = kj::OneOf<Add<WorkspaceRow>, Add<MachineRow>, Add<OperationRow>, Add<RequestRecord>,
                         Update<WorkspaceRow>, Update<MachineRow>, Update<OperationRow>,
                         Update<RequestRecord>, RemoveWorkspace, RemoveOperation>;

  kj::Vector<Step> steps;
  // The store numbers them, and counts those that are equal (EventRecord).
  kj::Vector<EventRecord> events;

  template <typename Row>
  Change& add(Row row) {
    steps.add(Add<Row>{kj::mv(row)});
    return *this;
  }
  template <typename Row>
  Change& update(Row row) {
    steps.add(Update<Row>{kj::mv(row)});
    return *this;
  }
  Change& removeWorkspace(kj::StringPtr id) {
    steps.add(RemoveWorkspace{kj::str(id)});
    return *this;
  }
  Change& removeOperation(kj::StringPtr id) {
    steps.add(RemoveOperation{kj::str(id)});
    return *this;
  }
  Change& tell(EventRecord event) {
    events.add(kj::mv(event));
    return *this;
  }
};

}  // namespace bothy
