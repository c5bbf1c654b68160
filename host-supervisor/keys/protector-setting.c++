#include "keys/protector-setting.h"

namespace bothy {
namespace {

constexpr size_t MAX_PATH_BYTES = 4095;
constexpr size_t MAX_CREDENTIAL_NAME_BYTES = 255;

using Kind = ProtectorSetting::Kind;

struct Form {
  kj::StringPtr prefix;
  Kind kind;
};

constexpr Form FORMS[] = {
    {"file:"_kj, Kind::KEY_FILE},
    {"passphrase:"_kj, Kind::PASSPHRASE_FILE},
    {"credential:"_kj, Kind::CREDENTIAL},
};

kj::Maybe<kj::String> faultOfPath(kj::StringPtr path) {
  if (!path.startsWith("/")) return kj::str("'", path, "' is not an absolute path");
  if (path.size() > MAX_PATH_BYTES) {
    return kj::str("the path has ", path.size(), " bytes; the limit is ", MAX_PATH_BYTES);
  }
  return nullptr;
}

kj::Maybe<kj::String> faultOfCredential(kj::StringPtr name) {
  if (name.size() == 0 || name.size() > MAX_CREDENTIAL_NAME_BYTES) {
    return kj::str("a credential's name has 1 to ", MAX_CREDENTIAL_NAME_BYTES, " bytes, not ",
                   name.size());
  }
  if (name == "." || name == ".." || name.findFirst('/') != nullptr) {
    return kj::str("'", name, "' is no name of a credential: it is one file's name");
  }
  return nullptr;
}

}  // namespace

kj::OneOf<ProtectorSetting, kj::String> parseProtector(kj::StringPtr value) {
  for (auto& form : FORMS) {
    if (!value.startsWith(form.prefix)) continue;
    auto place = value.slice(form.prefix.size());
    auto fault = form.kind == Kind::CREDENTIAL ? faultOfCredential(place) : faultOfPath(place);
    KJ_IF_MAYBE (text, fault) return kj::mv(*text);
    return ProtectorSetting{form.kind, kj::heapString(place)};
  }
  return kj::str("'", value, "' is none of file:PATH, passphrase:PATH and credential:NAME");
}

ProtectorSetting defaultProtector(kj::StringPtr stateDir) {
  return {Kind::KEY_FILE, kj::str(stateDir, "/keys/protector"),
          ProtectorSetting::IfMissing::CREATE};
}

}  // namespace bothy
