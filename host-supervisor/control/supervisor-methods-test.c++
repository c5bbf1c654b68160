// What bothyd lets clients give it, read off its schema.

#include <capnp/schema.h>
#include <kj/debug.h>

#include <set>
#include <string>

#include <catch2/catch_test_macros.hpp>

#include "schema/agent.capnp.h"
#include "schema/supervisor.capnp.h"

namespace bothy {
namespace {

// The capabilities that come to bothyd, as "Interface.method: Type", from all interfaces that it serves and that it is given.
class Given {
public:
  explicit Given(capnp::InterfaceSchema served) { serve(served); }

  std::set<std::string> all;

private:
  std::set<uint64_t> served, called;

  void serve(capnp::InterfaceSchema interface) { walk(interface, served, true); }
  void call(capnp::InterfaceSchema interface) { walk(interface, called, false); }

  void walk(capnp::InterfaceSchema interface, std::set<uint64_t>& seen, bool isServed) {
    if (!seen.insert(interface.getProto().getId()).second) return;
    for (auto super : interface.getSuperclasses()) walk(super, seen, isServed);
    for (auto method : interface.getMethods()) {
      auto name = kj::str(interface.getShortDisplayName(), ".", method.getProto().getName());
      std::set<uint64_t> structs;
      look(method.getParamType(), name, isServed, structs);
      structs.clear();
      look(method.getResultType(), name, !isServed, structs);
    }
  }

  // What comes to bothyd is noted, and what it gives is served by it.
  void look(capnp::StructSchema type, kj::StringPtr method, bool comes,
            std::set<uint64_t>& structs) {
    if (!structs.insert(type.getProto().getId()).second) return;
    for (auto field : type.getFields()) look(field.getType(), method, comes, structs);
  }
  void look(capnp::Type type, kj::StringPtr method, bool comes, std::set<uint64_t>& structs) {
    while (type.isList()) type = type.asList().getElementType();
    if (type.isStruct()) {
      look(type.asStruct(), method, comes, structs);
    } else if (type.isAnyPointer()) {
      // It may hold a capability.
      if (comes) note(method, "AnyPointer");
    } else if (type.isInterface()) {
      if (comes) {
        note(method, type.asInterface().getShortDisplayName());
        call(type.asInterface());
      } else {
        serve(type.asInterface());
      }
    }
  }
  void note(kj::StringPtr method, kj::StringPtr type) {
    all.insert(std::string(kj::str(method, ": ", type).cStr()));
  }
};

TEST_CASE("S02 bothyd takes no capability but those that tell a client how something goes") {
  const std::set<std::string> expected = {
      "Supervisor.connect: Progress", "Supervisor.create: Progress", "Supervisor.resume: Progress",
      "Supervisor.start: Progress", "Supervisor.watch: EventSink"};
  CHECK(Given(capnp::Schema::from<rpc::Supervisor>()).all == expected);
  // Such a look would see others: an agent is given some, over what it gives itself.
  CHECK(Given(capnp::Schema::from<rpc::Agent>()).all.contains("Processes.exec: ByteSink"));
}

}  // namespace
}  // namespace bothy
