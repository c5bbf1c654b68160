#pragma once

namespace bothy {

// Lets this process, and those that it starts, have as many files open as they may: each machine takes some, and a
// bothyd that has none left can serve nobody.
void raiseOpenFileLimit();

}  // namespace bothy
