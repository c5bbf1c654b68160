#pragma once

#include <elf.h>
#include <string.h>

#include <kj/array.h>
#include <kj/string.h>

namespace bothy {

// The smallest vmlinux that passes for a bootable one: an ELF header, a segment of notes, the banner.
inline kj::Array<kj::byte> testVmlinux(kj::StringPtr version, Elf64_Word note = 18) {
  struct {
    Elf64_Ehdr header;
    Elf64_Phdr segment;
    Elf64_Nhdr note;
    char owner[4];
    uint32_t entry[2];
  } image;
  memset(&image, 0, sizeof(image));
  memcpy(image.header.e_ident, ELFMAG, SELFMAG);
  image.header.e_phoff = offsetof(decltype(image), segment);
  image.header.e_phnum = 1;
  image.segment.p_type = PT_NOTE;
  image.segment.p_offset = offsetof(decltype(image), note);
  image.segment.p_filesz = sizeof(image.note) + sizeof(image.owner) + sizeof(image.entry);
  image.note = {4, sizeof(image.entry), note};
  memcpy(image.owner, "Xen", 4);
  auto banner = kj::str("Linux version ", version, " (x)");
  auto bytes = kj::heapArray<kj::byte>(sizeof(image) + banner.size());
  memcpy(bytes.begin(), &image, sizeof(image));
  memcpy(bytes.begin() + sizeof(image), banner.begin(), banner.size());
  return bytes;
}

}  // namespace bothy
