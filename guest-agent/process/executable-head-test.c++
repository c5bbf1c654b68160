#include "process/executable-head.h"

#include <elf.h>

#include <kj/filesystem.h>
#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

kj::ArrayPtr<const kj::byte> bytes(kj::StringPtr text) {
  return text.asBytes();
}

// The first bytes of a program of this machine.
kj::Array<kj::byte> readProgram() {
  auto filesystem = kj::newDiskFilesystem();
  auto file = filesystem->getRoot().openFile(kj::Path({"proc", "self", "exe"}));
  auto head = kj::heapArray<kj::byte>(1024);
  file->read(0, head);
  return head;
}

TEST_CASE("the interpreter of a script is what stands behind #!") {
  CHECK(interpreterOf(bytes("#!/bin/sh\necho\n")) == "/bin/sh");
  CHECK(interpreterOf(bytes("#! \t/usr/bin/env python3 -x\n")) == "/usr/bin/env");
  CHECK(interpreterOf(bytes("#!/bin/bash\r\necho hello\r\n")) == "/bin/bash\r");
  CHECK(interpreterOf(bytes("#!/bin/sh")) == "/bin/sh");
  CHECK(interpreterOf(bytes("#!\n")) == "");
  CHECK(interpreterOf(bytes("#!")) == "");
  CHECK(interpreterOf(bytes("echo hello\n")) == "");
  CHECK(interpreterOf(nullptr) == "");
}

TEST_CASE("the loader of an ELF program is found within its first bytes, and nowhere else") {
  auto head = readProgram();
  REQUIRE(head[0] == 0x7f);
  CHECK(foreignProcessor(head) == "");
  for (size_t i = 0; i < head.size(); i++) interpreterOf(head.slice(0, i));
  // Offsets that lead out of it.
  auto& header = *reinterpret_cast<Elf64_Ehdr*>(head.begin());
  header.e_phoff = ~uint64_t(0) - 8;
  CHECK(interpreterOf(head) == "");

  kj::byte small[1024] = {};
  auto& own = *reinterpret_cast<Elf64_Ehdr*>(small);
  memcpy(own.e_ident, ELFMAG, SELFMAG);
  own.e_ident[EI_CLASS] = ELFCLASS64;
  own.e_ident[EI_DATA] = ELFDATA2LSB;
  own.e_phoff = sizeof(Elf64_Ehdr);
  own.e_phnum = 1;
  auto& segment = *reinterpret_cast<Elf64_Phdr*>(small + sizeof(Elf64_Ehdr));
  segment.p_type = PT_INTERP;
  segment.p_offset = 200;
  memcpy(small + 200, "/lib/ld-musl-x86_64.so.1", 25);
  segment.p_filesz = 25;
  CHECK(interpreterOf(small) == "/lib/ld-musl-x86_64.so.1");
  segment.p_filesz = ~uint64_t(0);
  CHECK(interpreterOf(small) == "/lib/ld-musl-x86_64.so.1");
  segment.p_offset = 1022;
  CHECK(interpreterOf(small) == "");
  segment.p_offset = ~uint64_t(0);
  CHECK(interpreterOf(small) == "");
}

TEST_CASE("a program for another processor says for which") {
  auto head = readProgram();
  auto& header = *reinterpret_cast<Elf64_Ehdr*>(head.begin());
  header.e_machine = EM_S390;
  CHECK(foreignProcessor(head) == "s390x");
  header.e_machine = 47123;
  CHECK(foreignProcessor(head) == "the one with the number 47123");
  CHECK(foreignProcessor(head.slice(0, 18)) == "");
  CHECK(foreignProcessor(bytes("#!/bin/sh")) == "");
}

}  // namespace
}  // namespace bothy
