#pragma once

#include <string_view>

#include <kj/string.h>
#include <kj/table.h>

#include "process/cached-text-file.h"
#include "process/user-database.h"
#include "schema/process.capnp.h"

namespace bothy {

// The environment of a program: names in the order in which they were first set.
class Environment final {
public:
  // Replaces an earlier value.  `name` without "=".
  void set(kj::StringPtr name, kj::StringPtr value);
  kj::Maybe<kj::StringPtr> find(kj::StringPtr name) const;
  // Of its element in what release() returns.
  kj::Maybe<size_t> indexOf(kj::StringPtr name) const;

  // NAME=VALUE each, as execve(2) wants them.
  kj::Array<kj::String> release();

private:
  struct Variable {
    kj::String text;
    size_t nameLength;
    std::string_view name() const { return {text.cStr(), nameLength}; }
  };
  // A tree, for the names are a client's, who could choose those that one place of a hash table gets.
  struct ByName {
    std::string_view keyForRow(const Variable& row) const { return row.name(); }
    bool isBefore(const Variable& row, std::string_view name) const { return row.name() < name; }
    bool matches(const Variable& row, std::string_view name) const { return row.name() == name; }
  };
  kj::Table<Variable, kj::TreeIndex<ByName>> variables;
};

// What a login gives a user, without any shell: PATH, HOME, USER, LOGNAME, SHELL, LANG, and what the files
// `environment` and `default/locale` of a directory say at that moment, and above these what the workspace is configured with.  The
// same for terminals, processes and services.  No TZ, as on Debian: libc reads /etc/localtime, and a change of it is seen by programs that run.
class LoginEnvironments final {
public:
  // `etcDirectory`: absolute, without a final slash.  `settlingSeconds`: see CachedTextFile.
  explicit LoginEnvironments(kj::StringPtr etcDirectory,
                             time_t settlingSeconds = CachedTextFile::SETTLING_SECONDS)
      : locale(kj::str(etcDirectory, "/default/locale"), settlingSeconds),
        everybody(kj::str(etcDirectory, "/environment"), settlingSeconds) {}

  Environment of(const User& user) const;

  // From now on these are in all of them, but HOME, USER, LOGNAME and SHELL, which stay the user's; and in root's but those that choose
  // what a program runs (PATH, LD_PRELOAD and their like): whom the platform lets choose variables is not whom it lets be root.
  void configure(capnp::List<rpc::EnvironmentVariable>::Reader variables);

private:
  mutable CachedTextFile locale, everybody;
  struct Configured {
    kj::String name;
    kj::String value;
  };
  kj::Array<Configured> configured;
};

}  // namespace bothy
