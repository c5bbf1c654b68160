#include "process/executable-head.h"

#include <elf.h>
#include <stddef.h>
#include <string.h>

namespace bothy {

namespace {

using Head = kj::ArrayPtr<const kj::byte>;

#if defined(__x86_64__)
constexpr uint16_t OUR_MACHINE = EM_X86_64;
#elif defined(__aarch64__)
constexpr uint16_t OUR_MACHINE = EM_AARCH64;
#else
#error "write down the number of this processor in ELF"
#endif

// Copies a structure out of the file, where it may lie at any offset.
template <typename T>
kj::Maybe<T> readAt(Head head, uint64_t offset) {
  if (offset > head.size() || head.size() - offset < sizeof(T)) return nullptr;
  T result;
  memcpy(&result, head.begin() + offset, sizeof(T));
  return result;
}

bool isElf(Head head) {
  return head.size() > EI_DATA && memcmp(head.begin(), ELFMAG, SELFMAG) == 0;
}

bool isScript(Head head) {
  return head.size() > 2 && head[0] == '#' && head[1] == '!';
}

kj::String interpreterOfScript(Head head) {
  auto isBlank = [](kj::byte c) { return c == ' ' || c == '\t'; };
  size_t start = 2;
  while (start < head.size() && isBlank(head[start])) start++;
  size_t end = start;
  while (end < head.size() && !isBlank(head[end]) && head[end] != '\n' && head[end] != '\0') end++;
  return kj::heapString(head.slice(start, end).asChars());
}

kj::String interpreterOfElf(Head head) {
  KJ_IF_MAYBE (header, readAt<Elf64_Ehdr>(head, 0)) {
    if (header->e_ident[EI_CLASS] != ELFCLASS64) return kj::String();
    for (uint64_t i = 0; i < header->e_phnum; i++) {
      auto offset = header->e_phoff + i * sizeof(Elf64_Phdr);
      KJ_IF_MAYBE (segment, readAt<Elf64_Phdr>(head, offset)) {
        if (segment->p_type != PT_INTERP) continue;
        if (segment->p_offset >= head.size()) return kj::String();
        auto text = head.slice(segment->p_offset, head.size()).asChars();
        return kj::heapString(text.begin(),
                              strnlen(text.begin(), kj::min(text.size(), segment->p_filesz)));
      } else {
        break;
      }
    }
  }
  return kj::String();
}

}  // namespace

kj::String interpreterOf(Head head) {
  if (isScript(head)) return interpreterOfScript(head);
  return isElf(head) ? interpreterOfElf(head) : kj::String();
}

kj::String foreignProcessor(Head head) {
  if (!isElf(head)) return kj::String();
  // At the same offset in files of 32 and 64 bits.
  auto machine = readAt<uint16_t>(head, offsetof(Elf64_Ehdr, e_machine));
  KJ_IF_MAYBE (stored, machine) {
    uint16_t number = head[EI_DATA] == ELFDATA2MSB ? __builtin_bswap16(*stored) : *stored;
    if (number == OUR_MACHINE) return kj::String();
    switch (number) {
      case EM_386:
        return kj::str("i386");
      case EM_X86_64:
        return kj::str("x86_64");
      case EM_ARM:
        return kj::str("arm");
      case EM_AARCH64:
        return kj::str("aarch64");
      case EM_RISCV:
        return kj::str("riscv");
      case EM_PPC64:
        return kj::str("ppc64");
      case EM_S390:
        return kj::str("s390x");
      case EM_MIPS:
        return kj::str("mips");
      default:
        return kj::str("the one with the number ", number);
    }
  }
  return kj::String();
}

}  // namespace bothy
