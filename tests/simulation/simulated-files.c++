#include "simulation/simulated-files.h"

#include <kj/debug.h>
#include <kj/vector.h>

#include "machine/console-end.h"

namespace bothy {

void SimulatedFiles::mayRefuse(kj::StringPtr what, kj::StringPtr id) {
  lifetime.require();
  if (!host.fate.strikes(Fault::FILES_REFUSED)) return;
  host.trace.line("files", what, " ", host.label(id), ": refused");
  kj::throwFatalException(KJ_EXCEPTION(FAILED, "simulated: the file system does not obey"));
}

WorkspaceFiles::Paths SimulatedFiles::paths(kj::StringPtr id) {
  return {kj::str("/run/", id), kj::str("/console/", id)};
}

kj::Promise<void> SimulatedFiles::prepare(kj::StringPtr id) {
  mayRefuse("prepare", id);
  apply(lifetime, [&]() {
    host.touch();
    if (host.isInUse(id)) {
      host.judge.accuse("the files of ", host.label(id), " are made while a machine has them");
    }
    host.runtimeDirs.upsert(kj::str(id), [](kj::String&, kj::String&&) {});
    host.consoles.upsert(kj::str(id), nullptr);
  });
  return kj::READY_NOW;
}

kj::Promise<kj::String> SimulatedFiles::consoleEnd(kj::StringPtr id) {
  mayRefuse("read", id);
  if (host.consoles.find(id) == nullptr) return kj::String();
  return bothy::consoleEnd(KJ_ASSERT_NONNULL(host.consoles.find(id)).asBytes());
}

kj::Promise<void> SimulatedFiles::remove(kj::StringPtr id) {
  mayRefuse("remove", id);
  apply(lifetime, [&]() {
    host.touch();
    host.runtimeDirs.eraseMatch(id);
    host.consoles.erase(id);
    host.machinery.removeRuntimeFiles(id);
  });
  return kj::READY_NOW;
}

kj::Promise<kj::Array<kj::String>> SimulatedFiles::removeStrays(IsKnown isKnown) {
  mayRefuse("remove strays", "");
  kj::Vector<kj::String> strays;
  auto examine = [&](kj::StringPtr id) {
    if (isKnown(id)) return;
    for (auto& other : strays) {
      if (other == id) return;
    }
    strays.add(kj::str(id));
  };
  for (auto& id : host.runtimeDirs) examine(id);
  for (auto& entry : host.consoles) examine(entry.key);
  for (auto& id : strays) co_await remove(id);
  co_return strays.releaseAsArray();
}

kj::Maybe<Image> SimulatedImages::find(kj::StringPtr name) {
  if (host.fate.strikes(Fault::IMAGE_BROKEN)) {
    kj::throwFatalException(KJ_EXCEPTION(FAILED, "simulated: the image is not whole"));
  }
  if (host.fate.strikes(Fault::IMAGE_GONE)) return nullptr;
  if (name != "base" && name != "postgres") return nullptr;
  return Image{kj::str("/k"), kj::str("/i"), kj::str("/r")};
}

}  // namespace bothy
