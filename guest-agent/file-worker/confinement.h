#pragma once

namespace bothy {

// Takes from this process, a file worker, for good what serving files does not need: to gain rights, to run any program but its own, to
// make devices, to reach a network or another user of the machine.  It stays what its user may do to files.  What the kernel has no means
// for is left as it is.
void confineFileWorker();

// The same of a program that the worker has started to pack or unpack, which needs less: it starts no other and speaks to nobody.
void confineArchiveWorker();

}  // namespace bothy
