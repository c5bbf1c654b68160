#include "initramfs/agent-file.h"

#include <elf.h>
#include <string.h>

namespace bothy {

kj::Maybe<kj::StringPtr> agentFault(kj::ArrayPtr<const kj::byte> program) {
  Elf64_Ehdr header;
  if (program.size() < sizeof(header)) return "it is too short for a program"_kj;
  memcpy(&header, program.begin(), sizeof(header));
  if (memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64 ||
      header.e_machine != EM_X86_64) {
    return "it is no x86-64 ELF program"_kj;
  }
  uint64_t segmentBytes = uint64_t{header.e_phnum} * sizeof(Elf64_Phdr);
  if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phoff > program.size() ||
      segmentBytes > program.size() - header.e_phoff) {
    return "it is cut off"_kj;
  }
  for (size_t i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment;
    memcpy(&segment, program.begin() + header.e_phoff + i * sizeof(segment), sizeof(segment));
    if (segment.p_type == PT_INTERP) {
      return "it is dynamically linked, and an initramfs has no libraries"_kj;
    }
    if (segment.p_type == PT_LOAD && (segment.p_offset > program.size() ||
                                      segment.p_filesz > program.size() - segment.p_offset)) {
      return "it is cut off"_kj;
    }
  }
  return nullptr;
}

}  // namespace bothy
