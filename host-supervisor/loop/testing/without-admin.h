// What a program does without the right to make namespaces.
#pragma once

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <kj/debug.h>

namespace bothy {

// The calling thread has no CAP_SYS_ADMIN as long as this lives.
class WithoutAdmin final {
public:
  WithoutAdmin() {
    get();
    auto fewer = before;
    fewer.low.effective &= ~(1u << CAP_SYS_ADMIN);
    set(fewer);
  }
  ~WithoutAdmin() { set(before); }
  KJ_DISALLOW_COPY_AND_MOVE(WithoutAdmin);

private:
  struct Sets {
    __user_cap_data_struct low, high;
  };
  Sets before;

  void get() {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    KJ_SYSCALL(syscall(SYS_capget, &header, &before));
  }
  static void set(const Sets& sets) {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    KJ_SYSCALL(syscall(SYS_capset, &header, &sets));
  }
};

}  // namespace bothy
