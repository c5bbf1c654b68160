#pragma once

#include <kj/array.h>

namespace bothy {

// Where the supervisor leaves the per-boot secret: fw_cfg, of which the kernel lets root alone read.
constexpr const char* BOOT_SECRET_FILE = "/sys/firmware/qemu_fw_cfg/by_name/opt/bothy/secret/raw";

// The secret.  Throws if there is none or it is not of SECRET_BYTES: then nobody may connect.
kj::Array<const kj::byte> readBootSecret(const char* path = BOOT_SECRET_FILE);

// The same from a descriptor, up to its end.
kj::Array<const kj::byte> readSecret(int fd);

}  // namespace bothy
