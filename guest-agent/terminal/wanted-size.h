#pragma once

#include <kj/refcount.h>

#include "terminal/window-size.h"

namespace bothy {

// The size that one client wants a terminal to have: what the client sets it with shares it with the client's viewers.
struct WantedSize final: public kj::Refcounted {
  WindowSize size{};
  uint64_t turn = 0;  // rises with each one that was set; 0: none was
};

}  // namespace bothy
