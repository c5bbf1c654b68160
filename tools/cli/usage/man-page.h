#pragma once

#include "usage/help-text.h"

namespace bothy {

struct ManPage {
  const Usage::Declared& usage;
  kj::ArrayPtr<const Definition> commands;  // of bothy itself: its other pages
  kj::ArrayPtr<const Definition> exitCodes;
  kj::StringPtr version;

  // "bothy-exec"
  kj::String name() const;
  // As man(7) has it.
  kj::String render() const;
};

}  // namespace bothy
