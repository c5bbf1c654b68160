#pragma once

#include <kj/filesystem.h>
#include <kj/string.h>
#include <kj/vector.h>

#include "manifest/manifest.capnp.h"

namespace bothy {

// Reads the manifest of a bundle.  Throws FAILED if there is none or if it cannot be read.
void readManifest(const kj::ReadableDirectory& bundle, manifest::Manifest::Builder manifest);

// One sentence for each file that is not what the manifest says, that is missing, or that the manifest
// does not know; none: the bundle is whole.  Reads every file.
kj::Vector<kj::String> findDifferences(const kj::ReadableDirectory& bundle);

// A table for a person.
kj::String describe(manifest::Manifest::Reader manifest);

}  // namespace bothy
