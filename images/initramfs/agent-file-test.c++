#include "initramfs/agent-file.h"

#include <elf.h>
#include <string.h>

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

struct Program {
  Elf64_Ehdr header{};
  Elf64_Phdr segment{};

  explicit Program(uint32_t type) {
    memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_machine = EM_X86_64;
    header.e_phoff = sizeof(header);
    header.e_phentsize = sizeof(segment);
    header.e_phnum = 1;
    segment.p_type = type;
    segment.p_filesz = sizeof(Program);
  }

  kj::ArrayPtr<const kj::byte> bytes() const {
    return kj::arrayPtr(reinterpret_cast<const kj::byte*>(this), sizeof(*this));
  }
};

kj::StringPtr faultOf(kj::ArrayPtr<const kj::byte> program) {
  return agentFault(program).orDefault(""_kj);
}

TEST_CASE("a static program is accepted as an agent") {
  CHECK(faultOf(Program(PT_LOAD).bytes()) == "");
}

TEST_CASE("what would not start as the only file of an initramfs is refused with the reason") {
  CHECK(faultOf(Program(PT_INTERP).bytes()).startsWith("it is dynamically linked"));
  CHECK(faultOf("#!/bin/sh\n"_kj.asBytes()) == "it is too short for a program");

  Program foreign(PT_LOAD);
  foreign.header.e_machine = EM_AARCH64;
  CHECK(faultOf(foreign.bytes()) == "it is no x86-64 ELF program");

  Program whole(PT_LOAD);
  for (size_t size = sizeof(Elf64_Ehdr); size < sizeof(Program); ++size) {
    CHECK(faultOf(whole.bytes().slice(0, size)) == "it is cut off");
  }
}

}  // namespace
}  // namespace bothy
