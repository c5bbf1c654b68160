#pragma once

#include "usage/usage.h"

namespace bothy {

// The whole text of --help.
kj::String helpText(const Usage::Declared& usage);

// Its parts, each ended by a line feed; empty if there is nothing to say.

// "Usage: bothy ls ..."
kj::String synopsisText(const Usage::Declared& usage);
// The options that only this command has, those that every command has, or both.
enum class Options { OWN, COMMON, ALL };
kj::String optionsText(const Usage::Declared& usage, Options which);
// Paragraphs, filled to the width of a page.
kj::String filledText(kj::StringPtr paragraphs);

struct Definition {
  kj::String term;
  kj::StringPtr meaning;
};
// Two columns.
kj::String definitionsText(kj::ArrayPtr<const Definition> definitions);

// "-u, --user USER"; `indented` puts a long name that stands alone below those of the others.
kj::String describeOption(const Usage::Option& option, bool indented);

// The words of the paragraph at the beginning of `text`, which is moved behind it.  None: at the end.
kj::Vector<kj::String> takeParagraph(kj::StringPtr& text);

}  // namespace bothy
