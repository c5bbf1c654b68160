#pragma once

#include <kj/string.h>

namespace bothy {

// An installed image: files that every VM of it shares.
struct Image {
  kj::String kernel;
  kj::String initramfs;
  kj::String rootImage;
  // What the root file system is, as the bundle's manifest has it; empty if it does not say.
  kj::String identity = nullptr;
};

class ImageCatalog {
public:
  // nullptr if no image of that name is installed.  Fails, with a description for people, if one is but
  // is not whole.
  virtual kj::Maybe<Image> find(kj::StringPtr name) = 0;
};

// Bundles as `bothy-image` writes them: DIRECTORY/NAME/manifest.json and the files that it lists.  Their
// digests were checked when the bundle was installed; here each file is there and has its size.
class InstalledImages final: public ImageCatalog {
public:
  explicit InstalledImages(kj::StringPtr directory) : directory(kj::heapString(directory)) {}
  kj::Maybe<Image> find(kj::StringPtr name) override;

private:
  kj::String directory;
};

}  // namespace bothy
