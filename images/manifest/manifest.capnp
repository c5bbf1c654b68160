@0xd1b7c6a5e0a4f310;
# `manifest.json` of an image bundle, as JSON by Cap'n Proto's codec: field names as here, 64-bit numbers
# as strings.  It says nothing about when, where or by whom the bundle was built: equal inputs give
# equal manifests.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("bothy::manifest");

struct Manifest {
  format @0 :UInt16;
  # Of this file; `currentFormat`.  A reader refuses one that it does not know.

  name @1 :Text;
  # Of the image, e.g. "base"; also the bundle's folder.

  version @2 :Text;
  # Of the root file system, as in its /usr/lib/bothy/image.

  generation @3 :UInt16;
  # Protocol generation of the agent in the initramfs (schema/limits.capnp).

  agentVersion @4 :Text;

  kernelVersion @5 :Text;
  # What `uname -r` says in the guest.

  distribution @6 :Text;
  # PRETTY_NAME of os-release.

  files @7 :List(File);
  # Every other file of the bundle, in the order of their names.

  packages @8 :List(Package);
  # What the root file system holds, in the order of their names.

  ownKernel @9 :Bool;
  # Whether kernel/build-kernel made the kernel; else whoever built the image brought it.

  kernelModules @10 :List(Text);
  # Files of the initramfs, in the order in which the agent loads them; none with our own kernel, which has
  # everything built in.

  struct File {
    name @0 :Text;
    bytes @1 :UInt64;
    sha256 @2 :Text;
    # 64 hexadecimal digits, lower case.
  }

  struct Package {
    name @0 :Text;
    version @1 :Text;
  }
}

const currentFormat :UInt16 = 1;
