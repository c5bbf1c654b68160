#include "vm/embedded-secrets.h"

#include <dlfcn.h>
#include <libvirt/libvirt.h>

#include <kj/debug.h>

#include "vm/libvirt-error.h"

namespace bothy {
namespace {

struct Identity;  // libvirt's virIdentity, a GObject
using GetSystemIdentity = Identity*();
using SetCurrentIdentity = int(Identity*);
using SetConnectSecret = int(virConnectPtr);
using ReleaseObject = void(void*);  // GLib's

template <typename Function>
Function* find(const char* name) {
  void* symbol = dlsym(RTLD_DEFAULT, name);
  KJ_REQUIRE(symbol != nullptr,
             "this libvirt cannot be given the keys of disks within bothyd: set libvirt-uri to the "
             "one of a libvirt daemon",
             name);
  return reinterpret_cast<Function*>(symbol);
}

}  // namespace

void shareSecretsOnThread(_virConnect* secrets) {
  auto getSystemIdentity = find<GetSystemIdentity>("virIdentityGetSystem");
  auto setCurrentIdentity = find<SetCurrentIdentity>("virIdentitySetCurrent");
  auto setConnectSecret = find<SetConnectSecret>("virSetConnectSecret");
  auto releaseObject = find<ReleaseObject>("g_object_unref");
  auto identity = getSystemIdentity();
  if (identity == nullptr) failOfLibvirt("tell who this process is");
  KJ_DEFER(releaseObject(identity));
  if (setCurrentIdentity(identity) < 0 || setConnectSecret(secrets) < 0) {
    failOfLibvirt("let its drivers share secrets");
  }
}

}  // namespace bothy
