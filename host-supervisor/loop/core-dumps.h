#pragma once

namespace bothy {

// From now on neither this process nor any that it starts leaves memory in a core: there are secrets in it,
// and a machine's vsock device maps the guest's.  Holds also where the kernel hands cores to a program,
// whatever the limit is (core(5)); on a kernel that cannot leave memory out, only the limit does.
void forbidCoreDumps();

}  // namespace bothy
