#pragma once

#include <kj/async.h>
#include <kj/string.h>

namespace bothy {

// What the operations of workspaces have in common.

// An exception as one line for people, of not much more than LINE_BYTES: QEMU's and libvirt's words may have words of
// the guest in them, and it is kept.
kj::String lineOf(const kj::Exception& exception);

// Of one that an earlier supervisor had.
constexpr kj::StringPtr MACHINE_GONE = "its machine was gone when the supervisor started"_kj;

// What `work` comes to.  It goes on though whoever waits for that leaves: `keep` is given it to hold.
template <typename T, typename Keep>
kj::Promise<T> carryOut(kj::Promise<T> work, Keep&& keep) {
  auto paf = kj::newPromiseAndFulfiller<T>();
  auto told =
      work.then([&waiting = *paf.fulfiller](T&& outcome) { waiting.fulfill(kj::mv(outcome)); },
                [&waiting = *paf.fulfiller](kj::Exception&& e) { waiting.reject(kj::mv(e)); });
  keep(told.attach(kj::mv(paf.fulfiller)));
  return kj::mv(paf.promise);
}

}  // namespace bothy
