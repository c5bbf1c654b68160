#pragma once

#include "image/image-catalog.h"
#include "simulation/simulated-disk.h"
#include "workspace/workspace-files.h"

namespace bothy {

// Directories and console logs in memory, behind one thread as the real ones.
class SimulatedFiles final: public WorkspaceFiles {
public:
  SimulatedFiles(SimulatedHost& host, Lifetime& lifetime);
  KJ_DISALLOW_COPY_AND_MOVE(SimulatedFiles);

  Paths paths(kj::StringPtr id) override;
  kj::Promise<void> prepare(kj::StringPtr id) override;
  kj::Promise<kj::String> consoleEnd(kj::StringPtr id) override;
  kj::Promise<void> remove(kj::StringPtr id) override;
  kj::Promise<kj::Array<kj::String>> removeStrays(IsKnown isKnown) override;

private:
  SimulatedHost& host;
  SimulatedDisk disk;
};

// Two images, which may be away or damaged at times.
class SimulatedImages final: public ImageCatalog {
public:
  explicit SimulatedImages(SimulatedHost& host) : host(host) {}
  KJ_DISALLOW_COPY_AND_MOVE(SimulatedImages);

  kj::Maybe<Image> find(kj::StringPtr name) override;

private:
  SimulatedHost& host;
};

}  // namespace bothy
