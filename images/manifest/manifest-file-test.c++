#include "manifest/manifest-file.h"

#include <capnp/message.h>
#include <kj/exception.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

void fill(manifest::Manifest::Builder manifest) {
  manifest.setFormat(manifest::CURRENT_FORMAT);
  manifest.setName("base");
  manifest.setVersion("0123456789abcdef");
  manifest.setGeneration(1);
  manifest.setAgentVersion("0.1.0");
  manifest.setKernelVersion("6.12.1-bothy");
  manifest.setDistribution("Debian \"12\"");
  auto files = manifest.initFiles(1);
  files[0].setName("root.erofs");
  files[0].setBytes(uint64_t{1} << 53 | 1);  // more than a double holds
  files[0].setSha256("00ff");
  auto packages = manifest.initPackages(1);
  packages[0].setName("bash");
  packages[0].setVersion("5.2.15-2+b13");
}

kj::String withFileName(kj::StringPtr name) {
  capnp::MallocMessageBuilder message;
  auto manifest = message.initRoot<manifest::Manifest>();
  fill(manifest);
  manifest.getFiles()[0].setName(name);
  return formatManifest(manifest);
}

void parse(kj::StringPtr text) {
  capnp::MallocMessageBuilder message;
  parseManifest(text, message.initRoot<manifest::Manifest>());
}

TEST_CASE("a manifest that is written and read again is the same") {
  capnp::MallocMessageBuilder written;
  capnp::MallocMessageBuilder read;
  fill(written.initRoot<manifest::Manifest>());
  auto text = formatManifest(written.getRoot<manifest::Manifest>());
  parseManifest(text, read.initRoot<manifest::Manifest>());

  CHECK(formatManifest(read.getRoot<manifest::Manifest>()) == text);
  auto file = read.getRoot<manifest::Manifest>().getFiles()[0];
  CHECK(file.getBytes() == (uint64_t{1} << 53 | 1));
  CHECK(read.getRoot<manifest::Manifest>().asReader().getDistribution() == "Debian \"12\"");
}

TEST_CASE("S10 a manifest cannot name a file outside its bundle") {
  parse(withFileName("vmlinux"));
  for (kj::StringPtr name : {"../vmlinux"_kj, "/etc/passwd"_kj, "a/b"_kj, ".."_kj, ""_kj}) {
    CHECK_THROWS_AS(parse(withFileName(name)), kj::Exception);
  }
}

TEST_CASE("what is no manifest is refused") {
  CHECK_THROWS_AS(parse(""), kj::Exception);
  CHECK_THROWS_AS(parse("[]"), kj::Exception);
  CHECK_THROWS_AS(parse("{\"format\": 2}"), kj::Exception);
  CHECK_THROWS_AS(parse("{\"format\": 1, \"files\": [{\"bytes\": -1}]}"), kj::Exception);
}

}  // namespace
}  // namespace bothy
