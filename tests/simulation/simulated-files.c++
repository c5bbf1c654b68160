#include "simulation/simulated-files.h"

#include <kj/debug.h>
#include <kj/vector.h>

#include "machine/console-end.h"

namespace bothy {

using Kind = SimulatedDisk::Kind;

SimulatedFiles::SimulatedFiles(SimulatedHost& host, Lifetime& lifetime)
    : host(host),
      disk(host, lifetime, "files", {Fault::FILES_REFUSED, Fault::FILES_FULL, Fault::FILES_SLOW}) {}

WorkspaceFiles::Paths SimulatedFiles::paths(kj::StringPtr id) {
  return {kj::str("/run/", id), kj::str("/console/", id)};
}

kj::Promise<void> SimulatedFiles::prepare(kj::StringPtr id) {
  auto begin = [](SimulatedHost& host, kj::StringPtr id) {
    if (host.isInUse(id)) {
      host.judge.accuse("the files of ", host.label(id), " are made while a machine has them");
    }
    host.runtimeDirs.upsert(kj::str(id), [](kj::String&, kj::String&&) {});
    host.consoles.erase(id);
  };
  auto effect = [this, begin, id = kj::str(id)]() {
    begin(host, id);
    host.consoles.insert(kj::str(id), kj::refcounted<SimulatedHost::Console>());
  };
  auto half = [this, begin, id = kj::str(id)]() { begin(host, id); };
  return disk.run({.what = kj::str("prepare ", host.label(id)),
                   .kind = Kind::STEP,
                   .needsSpace = true,
                   .effect = kj::mv(effect),
                   .half = kj::mv(half)});
}

kj::Promise<kj::String> SimulatedFiles::consoleEnd(kj::StringPtr id) {
  // What the thread fills in; the call may be dropped before.
  struct Found final: public kj::Refcounted {
    kj::String end;
  };
  auto found = kj::refcounted<Found>();
  auto look = [this, id = kj::str(id), result = kj::addRef(*found)]() mutable {
    KJ_IF_MAYBE (log, host.consoles.find(id)) {
      result->end = bothy::consoleEnd((*log)->said.asPtr().asBytes());
    }
  };
  return disk
      .run({.what = kj::str("read ", host.label(id)),
            .kind = Kind::ASIDE,
            .needsSpace = false,
            .effect = kj::mv(look)})
      .then([found = kj::mv(found)]() mutable { return kj::mv(found->end); });
}

kj::Promise<void> SimulatedFiles::remove(kj::StringPtr id) {
  auto effect = [this, id = kj::str(id)]() {
    host.machinery.removeRuntimeFiles(id);
    host.runtimeDirs.eraseMatch(id);
    host.consoles.erase(id);
  };
  auto half = [this, id = kj::str(id)]() { host.machinery.removeRuntimeFiles(id); };
  return disk.run({.what = kj::str("remove ", host.label(id)),
                   .kind = Kind::STEP,
                   .needsSpace = false,
                   .effect = kj::mv(effect),
                   .half = kj::mv(half)});
}

kj::Promise<kj::Array<kj::String>> SimulatedFiles::removeStrays(IsKnown isKnown) {
  struct Found final: public kj::Refcounted {
    kj::TreeSet<kj::String> ids;
  };
  auto found = kj::refcounted<Found>();
  auto list = [this, result = kj::addRef(*found)]() mutable {
    auto add = [&](kj::StringPtr id) {
      result->ids.upsert(kj::str(id), [](kj::String&, kj::String&&) {});
    };
    for (auto& id : host.runtimeDirs) add(id);
    for (auto& entry : host.consoles) add(entry.key);
  };
  co_await disk.run(
      {.what = kj::str("list"), .kind = Kind::ASIDE, .needsSpace = false, .effect = kj::mv(list)});
  kj::Vector<kj::String> strays, removed;
  for (auto& id : found->ids) {
    if (!isKnown(id)) strays.add(kj::str(id));
  }
  // One that cannot be removed keeps no other.
  for (auto& id : strays) {
    co_await remove(id).then([&]() { removed.add(kj::str(id)); }, [](kj::Exception&&) {});
  }
  co_return removed.releaseAsArray();
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
