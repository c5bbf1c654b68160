#pragma once

#include <kj/one-of.h>
#include <kj/string.h>

namespace bothy {

// Where the outer secret of a keyring comes from, as the setting `key-protector` says it.
struct ProtectorSetting {
  enum class Kind {
    KEY_FILE,         // file:PATH, 32 random bytes
    PASSPHRASE_FILE,  // passphrase:PATH
    CREDENTIAL,       // credential:NAME of systemd.exec(5), 32 random bytes
  };
  enum class IfMissing { REFUSE, CREATE };

  Kind kind;
  // PATH or NAME.
  kj::String place;
  // CREATE is for key files: one is made when a keyring is made, never later.
  IfMissing ifMissing = IfMissing::REFUSE;
};

// `file:PATH`, `passphrase:PATH` or `credential:NAME`; else what is wrong with it.
kj::OneOf<ProtectorSetting, kj::String> parseProtector(kj::StringPtr value);

// STATE-DIR/keys/protector, made at first use.  It lies beside what it protects: it keeps copies of the
// keyring and of disks useless, not copies of the whole state directory.
ProtectorSetting defaultProtector(kj::StringPtr stateDir);

}  // namespace bothy
