#pragma once

#include <kj/vector.h>

#include <initializer_list>

#include "support/host-program.h"
#include "volume/test-volumes.h"

namespace bothy {

// QEMU's own tools on the volume of a world.
class QemuTools final {
public:
  explicit QemuTools(VolumeWorld& world) : world(world) { useKey(testKey()); }
  KJ_DISALLOW_COPY_AND_MOVE(QemuTools);

  // The passphrase that the tools are given: the digits of this key.
  void useKey(const Secret& key) {
    auto digits = hexadecimal(key);
    world.directory.write("key", kj::heapString(digits.bytes().asChars()));
  }

  // How the tools name the volume with its passphrase.
  kj::String image() const {
    return kj::str(
        "driver=qcow2,encrypt.format=luks,encrypt.key-secret=k,discard=unmap,"
        "file.driver=file,file.discard=unmap,file.filename=",
        world.directory.at(FINISHED));
  }

  // TOOL VERB --object SECRET --image-opts WORDS..., with no verb for qemu-io.
  FinishedProgram run(kj::StringPtr tool, kj::Maybe<kj::StringPtr> verb,
                      std::initializer_list<kj::StringPtr> words) const {
    auto secret = kj::str("secret,id=k,file=", world.directory.at("key"));
    kj::Vector<kj::StringPtr> argv;
    argv.add(tool);
    KJ_IF_MAYBE (word, verb) {
      argv.add(*word);
    }
    for (kj::StringPtr word : {"--object"_kj, secret.asPtr(), "--image-opts"_kj}) argv.add(word);
    for (auto word : words) argv.add(word);
    return runProgram(argv);
  }

  // qemu-io's commands in one go; fails the test unless each succeeds.
  kj::String io(std::initializer_list<kj::StringPtr> commands) const {
    auto done = tryIo(commands);
    KJ_REQUIRE(done.status == 0, done.out, done.err);
    return kj::mv(done.out);
  }
  FinishedProgram tryIo(std::initializer_list<kj::StringPtr> commands) const {
    auto secret = kj::str("secret,id=k,file=", world.directory.at("key"));
    auto volume = image();
    kj::Vector<kj::StringPtr> argv;
    argv.add("qemu-io");
    argv.add("--object");
    argv.add(secret);
    for (auto command : commands) {
      argv.add("-c");
      argv.add(command);
    }
    argv.add("--image-opts");
    argv.add(volume);
    return runProgram(argv);
  }

  // qemu-img's check finds no fault and no leak.
  bool isSound() const {
    auto volume = image();
    auto done = run("qemu-img", "check"_kj, {volume});
    UNSCOPED_INFO(done.out.cStr() << done.err.cStr());
    return done.status == 0;
  }

private:
  VolumeWorld& world;
};

}  // namespace bothy
