#include "vm/probe-guest.h"

// The ROM ends at 4 GiB and shows again below 1 MiB, at 0xf0000, where its code runs; so an address in it is
// 0xf0000 + (label - start).  Page tables stand at 0x1000-0x3fff: one 1 GiB of 2 MiB pages would be
// more than is needed, so one entry of 2 MiB maps all that is touched.
asm(R"(
  .section .rodata
  .balign 16
  .globl bothyProbeGuest
bothyProbeGuest:
  .code16
1000:
  cli
  movw $0xf000, %ax
  movw %ax, %ds
  lgdtl 5000f - bothyProbeGuest
  movl %cr0, %eax
  orl $1, %eax
  movl %eax, %cr0
  ljmpl $8, $(0xf0000 + 2000f - bothyProbeGuest)

  .code32
2000:
  movw $16, %ax
  movw %ax, %ds
  movw %ax, %es
  movw %ax, %ss
  movl $0x1000, %edi
  xorl %eax, %eax
  movl $0xc00, %ecx
  cld
  rep stosl
  movl $0x2003, 0x1000
  movl $0x3003, 0x2000
  movl $0x83, 0x3000
  movl %cr4, %eax
  orl $0x20, %eax
  movl %eax, %cr4
  movl $0x1000, %eax
  movl %eax, %cr3
  movl $0xc0000080, %ecx
  rdmsr
  orl $0x100, %eax
  wrmsr
  movl %cr0, %eax
  orl $0x80000000, %eax
  movl %eax, %cr0
  ljmpl $24, $(0xf0000 + 3000f - bothyProbeGuest)

  .code64
3000:
  xorl %eax, %eax
  xorl %edx, %edx
  movl $7, %ebx
  xorl %ecx, %ecx
  movl $0x8000, %edi
  movq $0, (%rdi)
  movq $0, 8(%rdi)
  lock cmpxchg16b (%rdi)
  jnz 3001f
  cmpq $7, (%rdi)
  jne 3001f
  movb $0x2a, %al
  outb %al, $0xf4
3001:
  cli
  hlt
  jmp 3001b

  .balign 8
4000:
  .quad 0
  .quad 0x00cf9b000000ffff
  .quad 0x00cf93000000ffff
  .quad 0x00af9b000000ffff
5000:
  .word 31
  .long 0xf0000 + 4000b - bothyProbeGuest

  .org bothyProbeGuest + 0xfff0
  .code16
  ljmpw $0xf000, $0
  .org bothyProbeGuest + 0x10000
  .code64
  .text
)");

extern "C" const unsigned char bothyProbeGuest[0x10000];

namespace bothy {

kj::ArrayPtr<const kj::byte> probeGuestRom() {
  return kj::arrayPtr(bothyProbeGuest, sizeof(bothyProbeGuest));
}

}  // namespace bothy
