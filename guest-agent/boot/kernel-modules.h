#pragma once

#include <kj/function.h>
#include <kj/string.h>

namespace bothy {

// Where the initramfs of a kernel that has drivers as modules keeps them, and in it the file that names them, a
// line each, what a module needs before it.  bothy-image writes both; with a kernel of our own there is neither.
constexpr kj::StringPtr MODULE_FOLDER = "/modules"_kj;
constexpr kj::StringPtr MODULE_LIST = "list"_kj;

bool hasKernelModules(kj::StringPtr folder = MODULE_FOLDER);

// Gives a file to the kernel; throws what the kernel says against it.
using ModuleLoader = kj::Function<void(kj::StringPtr path)>;
void loadModuleFile(kj::StringPtr path);

// Loads what the list names, in its order.  One that the kernel refuses keeps no other from being loaded;
// the stage then fails with all that were refused.
void loadKernelModules(kj::StringPtr folder = MODULE_FOLDER, ModuleLoader load = loadModuleFile);

}  // namespace bothy
