#include "manifest/manifest-file.h"

#include <capnp/compat/json.h>

#include "fault/fault.h"

namespace bothy {
namespace {

constexpr size_t MAX_NESTING = 8;  // of JSON values

bool isPlainName(kj::StringPtr name) {
  return name.size() > 0 && name != "." && name != ".." && name.findFirst('/') == nullptr;
}

}  // namespace

kj::String formatManifest(manifest::Manifest::Reader manifest) {
  capnp::JsonCodec codec;
  codec.setPrettyPrint(true);
  return kj::str(codec.encode(manifest), '\n');
}

void parseManifest(kj::StringPtr text, manifest::Manifest::Builder manifest) {
  capnp::JsonCodec codec;
  codec.setMaxNestingDepth(MAX_NESTING);
  codec.decode(text, manifest);
  if (manifest.getFormat() != manifest::CURRENT_FORMAT) {
    fail(kj::str("the manifest has format ", manifest.getFormat(), ", and only ",
                 manifest::CURRENT_FORMAT, " is known: build the image again"));
  }
  for (auto file : manifest.asReader().getFiles()) {
    if (!isPlainName(file.getName())) {
      fail(kj::str("the manifest names a file outside the bundle: ", file.getName()));
    }
  }
}

}  // namespace bothy
