#pragma once

#include <kj/string.h>

#include "manifest/manifest.capnp.h"

namespace bothy {

// The text of `manifest.json`: equal manifests give equal bytes.
kj::String formatManifest(manifest::Manifest::Reader manifest);

// Fills `manifest` from the text of a `manifest.json`.  Throws FAILED if the text is no manifest, if its
// format is unknown, or if a file name in it would lead out of the bundle.
void parseManifest(kj::StringPtr text, manifest::Manifest::Builder manifest);

}  // namespace bothy
