#include "session/session-rights.h"

#include <string.h>

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

using Verb = rpc::Verb;

SessionRights having(std::initializer_list<Verb> verbs, kj::StringPtr beneath = nullptr) {
  SessionRow row;
  for (auto verb : verbs) row.verbs |= uint32_t{1} << static_cast<uint16_t>(verb);
  row.beneath = kj::heapArray<kj::byte>(beneath.asBytes());
  return SessionRights::of(row);
}

LaneGrant wanting(rpc::Purpose purpose, std::initializer_list<Verb> verbs) {
  LaneGrant grant;
  grant.purpose = purpose;
  grant.verbs = verbs;
  return grant;
}

// The verbs of the grant, or nothing.
kj::String given(const SessionRights& rights, LaneGrant wanted) {
  auto narrowed = rights.narrow(kj::mv(wanted));
  KJ_IF_MAYBE (why, narrowed.tryGet<kj::StringPtr>()) {
    CHECK(strstr(why->cStr(), "session ") != nullptr);
    return kj::str("-");
  }
  SessionRights got;
  got.verbs = narrowed.get<LaneGrant>().verbs;
  return got.names();
}

TEST_CASE(
    "P54 a lane of a session has the rights that it wants and the session has, or there is none") {
  using P = rpc::Purpose;
  const auto shell = []() { return wanting(P::INTERACTIVE, {Verb::MACHINE, Verb::TERMINALS}); };
  const auto look = []() { return wanting(P::INTERACTIVE, {Verb::VIEW_TERMINALS}); };
  const auto exec = []() { return wanting(P::COMMANDS, {Verb::MACHINE, Verb::PROGRAMS}); };
  const auto machine = []() { return wanting(P::COMMANDS, {Verb::MACHINE}); };
  const auto read = []() { return wanting(P::FILES, {Verb::READ_FILES}); };
  const auto write = []() { return wanting(P::FILES, {Verb::READ_FILES, Verb::WRITE_FILES}); };
  struct Row {
    SessionRights rights;
    kj::StringPtr shell, look, exec, machine, read, write;
  };
  const Row rows[] = {
      {having({Verb::TERMINALS}), "terminals", "viewTerminals", "-", "-", "-", "-"},
      {having({Verb::VIEW_TERMINALS}), "-", "viewTerminals", "-", "-", "-", "-"},
      {having({Verb::PROGRAMS}), "-", "-", "programs", "-", "-", "-"},
      {having({Verb::MACHINE}), "-", "-", "-", "machine", "-", "-"},
      {having({Verb::MACHINE, Verb::TERMINALS, Verb::PROGRAMS}), "machine, terminals",
       "viewTerminals", "machine, programs", "machine", "-", "-"},
      {having({Verb::READ_FILES}), "-", "-", "-", "-", "readFiles", "-"},
      {having({Verb::READ_FILES, Verb::WRITE_FILES}), "-", "-", "-", "-", "readFiles",
       "readFiles, writeFiles"},
      {having({Verb::READ_BENEATH}, "/srv"), "-", "-", "-", "-", "readBeneath", "-"},
      {having({Verb::READ_BENEATH, Verb::WRITE_BENEATH}, "/srv"), "-", "-", "-", "-", "readBeneath",
       "readBeneath, writeBeneath"},
  };
  for (auto& row : rows) {
    INFO(row.rights.names().cStr());
    CHECK(given(row.rights, shell()) == row.shell);
    CHECK(given(row.rights, look()) == row.look);
    CHECK(given(row.rights, exec()) == row.exec);
    CHECK(given(row.rights, machine()) == row.machine);
    CHECK(given(row.rights, read()) == row.read);
    CHECK(given(row.rights, write()) == row.write);
    CHECK(given(row.rights, wanting(P::CONTROL, {Verb::CONTROL})) == "-");
  }
}

TEST_CASE(
    "a session for a directory gets files of that one alone, and no session those of another "
    "user") {
  auto rights = having({Verb::READ_BENEATH}, "/srv");
  auto whole = rights.narrow(wanting(rpc::Purpose::FILES, {Verb::READ_FILES}));
  CHECK(whole.get<LaneGrant>().beneath.asPtr() == "/srv"_kj.asBytes());
  for (auto directory : {"/srv"_kj, "/srv/x"_kj, "/"_kj}) {
    auto wanted = wanting(rpc::Purpose::FILES, {Verb::READ_BENEATH});
    wanted.beneath = kj::heapArray<const kj::byte>(directory.asBytes());
    CHECK(rights.narrow(kj::mv(wanted)).is<LaneGrant>() == (directory == "/srv"));
  }
  // Who has all files may have less.
  auto wanted = wanting(rpc::Purpose::FILES, {Verb::READ_BENEATH});
  wanted.beneath = kj::heapArray<const kj::byte>("/x"_kj.asBytes());
  auto less = having({Verb::READ_FILES}).narrow(kj::mv(wanted));
  CHECK(less.get<LaneGrant>().beneath.asPtr() == "/x"_kj.asBytes());
  wanted = wanting(rpc::Purpose::FILES, {Verb::READ_FILES});
  wanted.user = kj::str("root");
  CHECK(having({Verb::READ_FILES}).narrow(kj::mv(wanted)).is<kj::StringPtr>());
}

TEST_CASE("rights are refused that are none, or that name a directory for nothing") {
  CHECK(having({}).fault() != nullptr);
  CHECK(having({Verb::PROGRAMS}, "/srv").fault() != nullptr);
  CHECK(having({Verb::READ_BENEATH}, kj::str(kj::repeat('x', 2049))).fault() != nullptr);
  CHECK(having({Verb::READ_BENEATH}).fault() != nullptr);
  CHECK(having({Verb::READ_BENEATH, Verb::WRITE_BENEATH}).fault() != nullptr);
  CHECK(having({Verb::READ_BENEATH}, "/srv").fault() == nullptr);
  CHECK(having({Verb::VIEW_TERMINALS}).fault() == nullptr);
}

TEST_CASE("rights are stored by the numbers of their verbs, and what is not known is none") {
  SessionRow row;
  row.verbs = 1u << 1 | 1u << 4 | 1u << 9 | 1u << 31;
  auto rights = SessionRights::of(row);
  CHECK(rights.names() == "machine, programs");
  CHECK(rights.verbBits() == (1u << 1 | 1u << 4));
}

}  // namespace
}  // namespace bothy
