#pragma once

#include <linux/sched.h>
#include <sys/syscall.h>

// Marks a function that runs in a child which shares the agent's memory: nothing that a compiler adds
// to it may touch the agent's thread state.
#define BOTHY_CHILD \
  __attribute__((noinline, no_stack_protector, no_sanitize("address", "undefined")))

namespace bothy {

// A system call that leaves errno alone: the result, or minus the error.
__attribute__((always_inline)) inline long rawSyscall(long number, long a = 0, long b = 0,
                                                      long c = 0, long d = 0) {
#if defined(__x86_64__)
  long result;
  register long r10 asm("r10") = d;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
               : "rcx", "r11", "memory");
  return result;
#elif defined(__aarch64__)
  register long x8 asm("x8") = number;
  register long x0 asm("x0") = a;
  register long x1 asm("x1") = b;
  register long x2 asm("x2") = c;
  register long x3 asm("x3") = d;
  asm volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
  return x0;
#else
#error "write down the system call of this processor"
#endif
}

// clone3(2) with CLONE_VM: the child calls `run(argument)` on the stack that `arguments` name, and must
// not return from it.  The pid, or minus the error.
__attribute__((noinline)) inline long rawClone(clone_args& arguments, void (*run)(void*),
                                               void* argument) {
#if defined(__x86_64__)
  long result;
  register void (*function)(void*) asm("r12") = run;
  register void* parameter asm("r13") = argument;
  asm volatile(
      "syscall\n\t"
      "test %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "xor %%ebp, %%ebp\n\t"
      "mov %%r13, %%rdi\n\t"
      "call *%%r12\n\t"
      "hlt\n\t"
      "1:"
      : "=a"(result)
      : "a"(SYS_clone3), "D"(&arguments), "S"(sizeof(arguments)), "r"(function), "r"(parameter)
      : "rcx", "r11", "memory");
  return result;
#elif defined(__aarch64__)
  register long x8 asm("x8") = SYS_clone3;
  register long x0 asm("x0") = reinterpret_cast<long>(&arguments);
  register long x1 asm("x1") = sizeof(arguments);
  register void (*function)(void*) asm("x20") = run;
  register void* parameter asm("x21") = argument;
  asm volatile(
      "svc 0\n\t"
      "cbnz x0, 1f\n\t"
      "mov x29, xzr\n\t"
      "mov x0, x21\n\t"
      "blr x20\n\t"
      "brk 1\n\t"
      "1:"
      : "+r"(x0)
      : "r"(x8), "r"(x1), "r"(function), "r"(parameter)
      : "memory", "x30");
  return x0;
#else
#error "write down the system call of this processor"
#endif
}

// The same by clone(2), for who is refused clone3(2): `flags` with CLONE_VM, and the top of the stack.
__attribute__((noinline)) inline long rawOldClone(unsigned long flags, void* stackTop,
                                                  void (*run)(void*), void* argument) {
#if defined(__x86_64__)
  long result;
  register void (*function)(void*) asm("r12") = run;
  register void* parameter asm("r13") = argument;
  register long tls asm("r8") = 0;
  register long child asm("r10") = 0;
  asm volatile(
      "syscall\n\t"
      "test %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "xor %%ebp, %%ebp\n\t"
      "mov %%r13, %%rdi\n\t"
      "call *%%r12\n\t"
      "hlt\n\t"
      "1:"
      : "=a"(result)
      : "a"(SYS_clone), "D"(flags), "S"(stackTop), "d"(0L), "r"(child), "r"(tls), "r"(function),
        "r"(parameter)
      : "rcx", "r11", "memory");
  return result;
#elif defined(__aarch64__)
  register long x8 asm("x8") = SYS_clone;
  register long x0 asm("x0") = static_cast<long>(flags);
  register void* x1 asm("x1") = stackTop;
  register long x2 asm("x2") = 0;
  register long x3 asm("x3") = 0;
  register long x4 asm("x4") = 0;
  register void (*function)(void*) asm("x20") = run;
  register void* parameter asm("x21") = argument;
  asm volatile(
      "svc 0\n\t"
      "cbnz x0, 1f\n\t"
      "mov x29, xzr\n\t"
      "mov x0, x21\n\t"
      "blr x20\n\t"
      "brk 1\n\t"
      "1:"
      : "+r"(x0)
      : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(function), "r"(parameter)
      : "memory", "x30");
  return x0;
#else
#error "write down the system call of this processor"
#endif
}

}  // namespace bothy
