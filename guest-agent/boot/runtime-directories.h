#pragma once

namespace bothy {

// What systemd-tmpfiles makes in an empty /run: /run/lock for everybody's locks, /run/user for the
// users' own directories; and /run/bothy for the agent.
void makeRuntimeDirectories();

}  // namespace bothy
