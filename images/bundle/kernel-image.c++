#include "bundle/kernel-image.h"

#include <elf.h>
#include <string.h>

#include "compression/archive-payload.h"
#include "fault/fault.h"

namespace bothy {
namespace {

// Offsets of the header of a bzImage.
constexpr size_t SETUP_SECTORS_AT = 0x1f1;
constexpr size_t MAGIC_AT = 0x202;
constexpr size_t PROTOCOL_AT = 0x206;
constexpr size_t PAYLOAD_OFFSET_AT = 0x248;
constexpr size_t PAYLOAD_BYTES_AT = 0x24c;
constexpr size_t HEADER_BYTES = 0x250;

constexpr kj::StringPtr MAGIC = "HdrS"_kj;
constexpr uint16_t FIRST_PROTOCOL_WITH_PAYLOAD = 0x0208;
constexpr size_t SECTOR_BYTES = 512;
constexpr size_t DEFAULT_SETUP_SECTORS = 4;
constexpr kj::byte GZIP_MAGIC[] = {0x1f, 0x8b};
constexpr uint64_t MAX_VMLINUX_BYTES = 1ull << 30;

constexpr Elf64_Word PVH_NOTE = 18;  // XEN_ELFNOTE_PHYS32_ENTRY
constexpr kj::StringPtr PVH_OWNER = "Xen"_kj;

template <typename Number>
Number numberAt(kj::ArrayPtr<const kj::byte> bytes, size_t at) {
  Number number;
  memcpy(&number, bytes.begin() + at, sizeof(number));
  return number;
}

size_t aligned(size_t bytes) {
  return (bytes + 3) & ~size_t{3};
}

bool hasPvhNote(kj::ArrayPtr<const kj::byte> notes) {
  while (notes.size() >= sizeof(Elf64_Nhdr)) {
    auto note = numberAt<Elf64_Nhdr>(notes, 0);
    auto rest = notes.slice(sizeof(note), notes.size());
    auto nameBytes = aligned(note.n_namesz);
    auto bytes = nameBytes + aligned(note.n_descsz);
    if (bytes > rest.size()) return false;
    if (note.n_type == PVH_NOTE && note.n_namesz == PVH_OWNER.size() + 1 &&
        memcmp(rest.begin(), PVH_OWNER.cStr(), note.n_namesz) == 0) {
      return true;
    }
    notes = rest.slice(bytes, rest.size());
  }
  return false;
}

}  // namespace

kj::Maybe<kj::Array<const kj::byte>> vmlinuxIn(kj::ArrayPtr<const kj::byte> file) {
  if (file.size() < HEADER_BYTES ||
      memcmp(file.begin() + MAGIC_AT, MAGIC.begin(), MAGIC.size()) != 0) {
    return nullptr;
  }
  if (numberAt<uint16_t>(file, PROTOCOL_AT) < FIRST_PROTOCOL_WITH_PAYLOAD) {
    fail(kj::str("the kernel is a bzImage of a form older than Linux 2.6.26: give its vmlinux"));
  }
  size_t sectors = file[SETUP_SECTORS_AT] == 0 ? DEFAULT_SETUP_SECTORS : file[SETUP_SECTORS_AT];
  uint64_t begin = (sectors + 1) * SECTOR_BYTES + numberAt<uint32_t>(file, PAYLOAD_OFFSET_AT);
  uint64_t bytes = numberAt<uint32_t>(file, PAYLOAD_BYTES_AT);
  if (bytes < sizeof(uint32_t) || begin + bytes > file.size()) {
    fail(kj::str("the kernel is a bzImage that is cut off"));
  }
  auto payload = file.slice(begin, begin + bytes);
  // The last four bytes tell the length of the vmlinux; gzip has it there by itself, to others it is appended.
  auto end = payload.size() - sizeof(uint32_t);
  uint64_t vmlinuxBytes = numberAt<uint32_t>(payload, end);
  if (vmlinuxBytes > MAX_VMLINUX_BYTES) fail(kj::str("the kernel is a bzImage that is damaged"));
  bool isGzip = payload[0] == GZIP_MAGIC[0] && payload[1] == GZIP_MAGIC[1];
  auto vmlinux = unpackPayload(isGzip ? payload : payload.slice(0, end), vmlinuxBytes);
  if (vmlinux.size() != vmlinuxBytes) fail(kj::str("the kernel is a bzImage that is damaged"));
  return kj::mv(vmlinux);
}

bool isBootable(kj::ArrayPtr<const kj::byte> vmlinux) {
  if (vmlinux.size() < sizeof(Elf64_Ehdr) || memcmp(vmlinux.begin(), ELFMAG, SELFMAG) != 0) {
    return false;
  }
  auto header = numberAt<Elf64_Ehdr>(vmlinux, 0);
  for (size_t i = 0; i < header.e_phnum; ++i) {
    uint64_t at = header.e_phoff + i * sizeof(Elf64_Phdr);
    if (at > vmlinux.size() || vmlinux.size() - at < sizeof(Elf64_Phdr)) return false;
    auto segment = numberAt<Elf64_Phdr>(vmlinux, at);
    if (segment.p_type != PT_NOTE || segment.p_offset > vmlinux.size() ||
        segment.p_filesz > vmlinux.size() - segment.p_offset) {
      continue;
    }
    if (hasPvhNote(vmlinux.slice(segment.p_offset, segment.p_offset + segment.p_filesz))) {
      return true;
    }
  }
  return false;
}

}  // namespace bothy
