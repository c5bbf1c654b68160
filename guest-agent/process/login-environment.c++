#include "process/login-environment.h"

#include "process/text-file.h"

namespace bothy {

namespace {

// Those of Debian's /etc/profile, so that a login shell sees what an exec sees.
constexpr kj::StringPtr USER_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games"_kj;
constexpr kj::StringPtr ROOT_PATH =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"_kj;

bool isName(kj::ArrayPtr<const char> text) {
  if (text.size() == 0 || ('0' <= text[0] && text[0] <= '9')) return false;
  for (char c : text) {
    bool fits =
        c == '_' || ('0' <= c && c <= '9') || ('a' <= c && c <= 'z') || ('A' <= c && c <= 'Z');
    if (!fits) return false;
  }
  return true;
}

// One line as pam_env(8) reads it: an optional "export", a name, a value perhaps in quotes.
void readLine(kj::ArrayPtr<const char> line, Environment& environment) {
  constexpr kj::StringPtr EXPORT = "export "_kj;
  line = trimmed(line);
  if (line.size() > EXPORT.size() && line.slice(0, EXPORT.size()) == EXPORT.asArray()) {
    line = trimmed(line.slice(EXPORT.size(), line.size()));
  }
  for (size_t i = 0; i < line.size(); i++) {
    if (line[i] != '=') continue;
    auto name = line.slice(0, i);
    auto value = line.slice(i + 1, line.size());
    if (value.size() >= 2 && (value[0] == '"' || value[0] == '\'') && value.back() == value[0]) {
      value = value.slice(1, value.size() - 1);
    }
    if (isName(name)) environment.set(kj::str(name), kj::str(value));
    return;
  }
}

void readLines(kj::StringPtr text, Environment& environment) {
  Lines lines(text.asArray());
  for (;;) {
    KJ_IF_MAYBE (line, lines.next()) {
      readLine(*line, environment);
    } else {
      return;
    }
  }
}

// Whoever chooses such a variable chooses what a program of root's runs.
bool choosesPrograms(kj::StringPtr name) {
  constexpr kj::StringPtr SUCH[] = {"PATH"_kj, "ENV"_kj, "BASH_ENV"_kj, "IFS"_kj};
  for (auto such : SUCH) {
    if (name == such) return true;
  }
  return name.startsWith("LD_");
}

}  // namespace

void Environment::set(kj::StringPtr name, kj::StringPtr value) {
  variables.upsert(Variable{kj::str(name, '=', value), name.size()},
                   [](Variable& row, Variable&& other) { row.text = kj::mv(other.text); });
}

kj::Maybe<kj::StringPtr> Environment::find(kj::StringPtr name) const {
  return variables.find(std::string_view(name.begin(), name.size())).map([](const Variable& row) {
    return row.text.slice(row.nameLength + 1);
  });
}

kj::Maybe<size_t> Environment::indexOf(kj::StringPtr name) const {
  // Rows keep the order in which they were added, for none is erased.
  return variables.find(std::string_view(name.begin(), name.size())).map([&](const Variable& row) {
    return static_cast<size_t>(&row - variables.begin());
  });
}

kj::Array<kj::String> Environment::release() {
  return KJ_MAP(variable, variables) {
    return kj::mv(variable.text);
  };
}

Environment LoginEnvironments::of(const User& user) const {
  Environment result;
  result.set("PATH", user.uid == 0 ? ROOT_PATH : USER_PATH);
  result.set("LANG", "C.UTF-8");
  readLines(locale.text(), result);
  readLines(everybody.text(), result);
  for (auto& variable : configured) {
    if (user.uid == 0 && choosesPrograms(variable.name)) continue;
    result.set(variable.name, variable.value);
  }
  result.set("HOME", user.home);
  result.set("USER", user.name);
  result.set("LOGNAME", user.name);
  result.set("SHELL", user.shell);
  return result;
}

void LoginEnvironments::configure(capnp::List<rpc::EnvironmentVariable>::Reader variables) {
  configured = KJ_MAP(variable, variables) {
    return Configured{kj::str(variable.getName()), kj::str(variable.getValue())};
  };
}

}  // namespace bothy
