// A kernel that boots by PVH (the entry point of Xen's ELF note 18, xen/include/public/elfnote.h) and says nothing.

__asm__(
    ".section .note.Xen, \"a\", @note\n"
    ".long 4, 8, 18\n"
    ".asciz \"Xen\"\n"
    ".quad silentKernel\n"
    ".text\n"
    ".globl silentKernel\n"
    "silentKernel:\n"
    "cli\n"
    "1: hlt\n"
    "jmp 1b\n");
