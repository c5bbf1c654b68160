#pragma once

namespace bothy {

// How many places of a screen a printable character takes: 0 for one that combines with the character before it, 1 or 2.
int characterWidth(char32_t character);

}  // namespace bothy
