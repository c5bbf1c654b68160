#pragma once

#include "image/image-catalog.h"
#include "simulation/lifetime.h"
#include "simulation/simulated-host.h"
#include "workspace/workspace-files.h"

namespace bothy {

// Directories and console logs in memory.
class SimulatedFiles final: public WorkspaceFiles {
public:
  SimulatedFiles(SimulatedHost& host, Lifetime& lifetime) : host(host), lifetime(lifetime) {}
  KJ_DISALLOW_COPY_AND_MOVE(SimulatedFiles);

  Paths paths(kj::StringPtr id) override;
  kj::Promise<void> prepare(kj::StringPtr id) override;
  kj::Promise<kj::String> consoleEnd(kj::StringPtr id) override;
  kj::Promise<void> remove(kj::StringPtr id) override;
  kj::Promise<kj::Array<kj::String>> removeStrays(IsKnown isKnown) override;

private:
  SimulatedHost& host;
  Lifetime& lifetime;

  void mayRefuse(kj::StringPtr what, kj::StringPtr id);
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
