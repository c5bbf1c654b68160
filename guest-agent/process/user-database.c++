#include "process/user-database.h"

#include <stdint.h>
#include <string.h>

#include <kj/debug.h>
#include <kj/vector.h>

#include "process/text-file.h"

namespace bothy {

namespace {

// Of a line of passwd(5).
constexpr size_t NAME_FIELD = 0, UID_FIELD = 2;

using Field = kj::ArrayPtr<const char>;

kj::Vector<Field> split(Field text, char separator) {
  kj::Vector<Field> result;
  size_t start = 0;
  for (size_t i = 0; i < text.size(); i++) {
    if (text[i] != separator) continue;
    result.add(text.slice(start, i));
    start = i + 1;
  }
  result.add(text.slice(start, text.size()));
  return result;
}

// Most lines are about others, and to take each apart would take a good part of the time of a new lane.
bool contains(Field text, kj::StringPtr part) {
  return memmem(text.begin(), text.size(), part.begin(), part.size()) != nullptr;
}

// Not the largest: to setresuid(2) and its like it means "as it is", which would be root.
kj::Maybe<uint32_t> parseId(Field field) {
  KJ_IF_MAYBE (id, kj::str(field).tryParseAs<uint32_t>()) {
    if (*id != UINT32_MAX) return *id;
  }
  return nullptr;
}

kj::Array<gid_t> groupsOf(kj::StringPtr file, kj::StringPtr user, gid_t primary) {
  kj::Vector<gid_t> result;
  result.add(primary);
  Lines lines(file.asArray());
  for (auto line = lines.next(); line != nullptr; line = lines.next()) {
    if (!contains(KJ_ASSERT_NONNULL(line), user)) continue;
    auto fields = split(KJ_ASSERT_NONNULL(line), ':');
    if (fields.size() < 4) continue;
    for (auto member : split(fields[3], ',')) {
      if (member != user.asArray()) continue;
      KJ_IF_MAYBE (gid, parseId(fields[2])) {
        if (*gid != primary) result.add(*gid);
      }
      break;
    }
  }
  return result.releaseAsArray();
}

}  // namespace

kj::Maybe<User> UserDatabase::find(kj::StringPtr name) const {
  auto users = passwd.text();
  KJ_IF_MAYBE (user, findBy(users, NAME_FIELD, name)) return kj::mv(*user);
  KJ_IF_MAYBE (user, findBy(users, UID_FIELD, name)) return kj::mv(*user);
  // Whoever lost /etc/passwd needs somebody who can write another.
  if (name == "root") {
    return User{kj::str(name), 0, 0, kj::arr(gid_t{0}), kj::str("/root"), kj::str("/bin/sh")};
  }
  return nullptr;
}

kj::Maybe<User> UserDatabase::findBy(kj::StringPtr users, size_t field, kj::StringPtr text) const {
  Lines lines(users.asArray());
  for (auto line = lines.next(); line != nullptr; line = lines.next()) {
    if (!contains(KJ_ASSERT_NONNULL(line), text)) continue;
    auto fields = split(KJ_ASSERT_NONNULL(line), ':');
    if (fields.size() < 7 || fields[NAME_FIELD].size() == 0 || fields[field] != text.asArray()) {
      continue;
    }
    KJ_IF_MAYBE (uid, parseId(fields[UID_FIELD])) {
      KJ_IF_MAYBE (gid, parseId(fields[3])) {
        auto name = kj::str(fields[NAME_FIELD]);
        auto groups = groupsOf(group.text(), name, *gid);
        return User{kj::mv(name), *uid, *gid, kj::mv(groups),
                    fields[5].size() == 0 ? kj::str("/") : kj::str(fields[5]),
                    // passwd(5): an empty shell means /bin/sh
                    fields[6].size() == 0 ? kj::str("/bin/sh") : kj::str(fields[6])};
      }
    }
  }
  return nullptr;
}

}  // namespace bothy
