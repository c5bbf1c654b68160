#pragma once

struct _virConnect;

namespace bothy {

// Lets the drivers of libvirt that run in this process give each other secrets on the calling thread, those of the
// connection `secrets`, which the caller keeps open while the thread makes calls.  `secrets` may be null while
// there is none.
//
// libvirt hands a secret from its secret driver to its QEMU driver only on a thread that has an identity and a
// connection for secrets.  In its daemons each call has both; in a program that embeds the drivers nothing gives
// them (libvirt 11.3), and its own such program, virt-qemu-run, calls the functions that this calls, which are
// exported and not declared.  Throws, and says what to do, where they are not there.
void shareSecretsOnThread(_virConnect* secrets);

}  // namespace bothy
