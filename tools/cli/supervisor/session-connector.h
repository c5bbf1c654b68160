#pragma once

#include "supervisor/connector.h"

namespace bothy {

// The way to bothyd with a session's token, where one is given, or else without.  What a session cannot do fails with UNIMPLEMENTED.
class SessionConnector final: public Connector {
public:
  static constexpr kj::StringPtr DEFAULT_SOCKET = "/run/bothy/sessions.sock"_kj;

  // `socket`: where tokens are redeemed, unless useSocket() names another.  `token`: empty: none.  `inner` outlives it.
  SessionConnector(Connector& inner, kj::StringPtr socket, kj::StringPtr token = nullptr);

  kj::Own<SupervisorLink> connect() override;
  void useSocket(kj::StringPtr path) override;
  void useSession(kj::String token) override;
  bool usesSession() override { return token.size() > 0; }

private:
  Connector& inner;
  const kj::String socket;
  kj::String token;
  bool isSocketGiven = false;
};

// The token in a text that a file or an environment has; fails with a failure() that names `source` where it is none.
kj::String requireToken(kj::StringPtr text, kj::StringPtr source);
// The token in a file, or where it is "-" in the first line of standard input, of which no more is read.
kj::String readToken(kj::StringPtr file);

}  // namespace bothy
