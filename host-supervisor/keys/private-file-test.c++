#include "keys/private-file.h"

#include <sys/stat.h>
#include <unistd.h>

#include "keys/test-keyring.h"

namespace bothy {
namespace {

struct Fixture {
  TestDirectory directory;
  kj::String path = directory.at("file");

  explicit Fixture(kj::StringPtr content = "secret"_kj) {
    directory.write("file", content);
    KJ_SYSCALL(chmod(path.cStr(), 0600));
  }
  kj::Exception failure() {
    return failureOf([&]() { readPrivateFile(path, 6); });
  }
};

TEST_CASE("a private file is read up to its limit") {
  Fixture f;
  CHECK(readPrivateFile(f.path, 6).bytes() == "secret"_kj.asBytes());
  KJ_SYSCALL(chmod(f.path.cStr(), 0400));
  CHECK(readPrivateFile(f.path, 6).bytes() == "secret"_kj.asBytes());
}

TEST_CASE("a private file that others could read is refused, with its mode") {
  Fixture f;
  for (mode_t mode : {0640, 0604, 0644, 0700, 0660, 0000, 04600}) {
    KJ_SYSCALL(chmod(f.path.cStr(), mode));
    auto failure = f.failure();
    CHECK(says(failure, f.path));
    CHECK(says(failure, "make it 0600 or 0400"));
  }
}

TEST_CASE("a private file of somebody else is refused") {
  if (geteuid() != 0) SKIP("giving files away wants root");
  Fixture f;
  KJ_SYSCALL(chown(f.path.cStr(), 12345, 0));
  CHECK(says(f.failure(), "it belongs to user 12345"));
}

TEST_CASE("what is missing, empty, too long or no file is refused, and no content is told") {
  CHECK(says(failureOf([]() { readPrivateFile("/nonexistent/key", 6); }),
             "/nonexistent/key is refused: it cannot be opened: No such file or directory"));
  CHECK(says(Fixture("").failure(), "it is empty"));
  Fixture longer("hunter2");
  CHECK(says(longer.failure(), "it has more than 6 bytes"));
  CHECK_FALSE(says(longer.failure(), "hunter"));
  Fixture f;
  KJ_SYSCALL(unlink(f.path.cStr()));
  KJ_SYSCALL(mkfifo(f.path.cStr(), 0600));
  CHECK(says(f.failure(), "it is no regular file"));
}

TEST_CASE("a key file is made once, private and random") {
  TestDirectory directory;
  auto path = directory.at("key");
  // Of one who was killed while making it.
  directory.write("key.new", "half");
  createKeyFile(path);
  auto key = readPrivateFile(path, KEY_BYTES);
  CHECK(key.bytes().size() == KEY_BYTES);
  CHECK((directory.status("key").st_mode & 07777) == 0600);
  createKeyFile(path);
  CHECK(readPrivateFile(path, KEY_BYTES).bytes() == key.bytes());
  createKeyFile(directory.at("other"));
  CHECK(readPrivateFile(directory.at("other"), KEY_BYTES).bytes() != key.bytes());
  CHECK(directory.count() == 2);
  CHECK_THROWS(createKeyFile(directory.at("no/parent")));
}

}  // namespace
}  // namespace bothy
