#include "keys/file-replacer.h"

#include <kj/debug.h>

namespace bothy {
namespace {

kj::String fresh(kj::StringPtr name) {
  return kj::str(name, ".new");
}
kj::String old(kj::StringPtr name) {
  return kj::str(name, ".old");
}

}  // namespace

kj::Maybe<FileReplacer::Failure> FileReplacer::tryReplace(kj::StringPtr name,
                                                          kj::ArrayPtr<const kj::byte> content) {
  bool hadOld = false;
  bool isRenamed = false;
  KJ_IF_MAYBE (cause, kj::runCatchingExceptions([&]() {
                 files.write(fresh(name), content);
                 hadOld = files.link(name, old(name));
                 files.rename(fresh(name), name);
                 isRenamed = true;
                 files.syncDirectory();
               })) {
    auto left = Left::OLD;
    if (isRenamed) {
      KJ_IF_MAYBE (problem, kj::runCatchingExceptions([&]() {
                     if (hadOld) {
                       restore(name);
                     } else {
                       files.remove(name);
                       files.syncDirectory();
                     }
                   })) {
        KJ_LOG(ERROR, "a file of the keyring could not be put back", files.path(name), *problem);
        left = Left::EITHER;
      }
    } else {
      KJ_IF_MAYBE (problem, kj::runCatchingExceptions([&]() { cleanUp(name); })) {
        KJ_LOG(WARNING, "a half-written file of the keyring stays for now", files.path(name),
               *problem);
      }
    }
    return Failure{kj::mv(*cause), left};
  }
  return nullptr;
}

void FileReplacer::replace(kj::StringPtr name, kj::ArrayPtr<const kj::byte> content) {
  KJ_IF_MAYBE (failure, tryReplace(name, content)) {
    kj::throwFatalException(kj::mv(failure->cause));
  }
}

void FileReplacer::restore(kj::StringPtr name) {
  // The new one keeps a name too, to be overwritten.
  files.link(name, fresh(name));
  files.rename(old(name), name);
  files.syncDirectory();
  KJ_IF_MAYBE (problem, kj::runCatchingExceptions([&]() { cleanUp(name); })) {
    KJ_LOG(WARNING, "a file of the keyring that was taken back stays for now", files.path(name),
           *problem);
  }
}

void FileReplacer::discardOld(kj::StringPtr name) {
  discard(old(name), name);
}

void FileReplacer::cleanUp(kj::StringPtr name) {
  // The names that count must be durable before anything is overwritten: a power cut could bring an
  // earlier name of an overwritten file back.
  files.syncDirectory();
  discard(fresh(name), name);
  discard(old(name), name);
}

void FileReplacer::discard(kj::StringPtr name, kj::StringPtr other) {
  // Both are one file where a crash came between link and rename.
  if (!files.isSameFile(name, other)) files.wipe(name);
  files.remove(name);
}

}  // namespace bothy
