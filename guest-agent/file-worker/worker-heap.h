#pragma once

namespace bothy {

// The heap of a process that copies files and then waits for the next.

// For chunks of streams, which come and go all the time.
void tuneHeap();

// What copies took goes back to the kernel, but for so much that the next lane finds its memory without a fault for each page.
void trimHeap();

}  // namespace bothy
