#pragma once

#include <kj/refcount.h>

#include "process/program-kind.h"
#include "schema/process.capnp.h"

namespace bothy {

// A start that a client asked for, for whoever notes what clients do.  Dropped before it was told either, it was given up, by a cancelled call or a
// fault: its program may have run, however short.
class AskedStart {
public:
  virtual ~AskedStart() noexcept(false) {}
  // `id`: by which the program or terminal is had; 0: by none.
  virtual void started(uint64_t id) = 0;
  virtual void failed() = 0;
};

// Hears what one client does to programs and terminals, when it is done: the call that asked for it may have been given up by then.
class ClientActions: public kj::Refcounted {
public:
  // `command` is not used any more when it returns.
  virtual kj::Own<AskedStart> asked(ProgramKind kind, rpc::Command::Reader command) = 0;
  // Something was done to the program or terminal `id`: `what`, such as "terminal closed".
  virtual void did(kj::StringPtr what, ProgramKind kind, uint64_t id) = 0;

  kj::Own<ClientActions> addRef() { return kj::addRef(*this); }
};

}  // namespace bothy
