#include "volume/luks-header.h"

#include <errno.h>
#include <libcryptsetup.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <kj/debug.h>
#include <kj/io.h>
#include <kj/vector.h>

#include <algorithm>

#include "volume/big-endian.h"
#include "volume/qcow2-image.h"

namespace bothy {
namespace {

constexpr const char* CIPHER = "aes";
constexpr const char* MODE = "xts-plain64";
constexpr const char* HASH = "sha256";
constexpr uint32_t VOLUME_KEY_BYTES = 64;
constexpr uint64_t SECTOR_BYTES = 512;

// The format's own.
constexpr kj::StringPtr MAGIC = "LUKS\xba\xbe"_kj;
constexpr uint16_t VERSION = 1;
constexpr uint32_t SLOT_IN_USE = 0x00ac71f3;
constexpr uint32_t SLOT_FREE = 0x0000dead;
constexpr uint32_t STRIPES = 4000;
constexpr uint32_t FIRST_SLOT_SECTOR = 8;
// 4000 times 64 bytes, rounded up to 4 KiB.
constexpr uint32_t SLOT_SECTORS = 504;

// libcryptsetup wants to see room for data behind the header.
constexpr uint64_t DATA_BYTES = 1024 * 1024;

struct KeySlot {
  BigEndian<uint32_t> use;
  BigEndian<uint32_t> iterations;
  kj::byte salt[32];
  BigEndian<uint32_t> sector;
  BigEndian<uint32_t> stripes;
};

struct Header {
  kj::byte magic[6];
  BigEndian<uint16_t> version;
  char cipher[32];
  char mode[32];
  char hash[32];
  BigEndian<uint32_t> payloadSector;
  BigEndian<uint32_t> volumeKeyBytes;
  kj::byte digest[20];
  kj::byte digestSalt[32];
  BigEndian<uint32_t> digestIterations;
  char uuid[40];
  KeySlot slots[8];
};
static_assert(sizeof(Header) == LUKS_HEADER_BYTES);

// A context of libcryptsetup on a file in memory, and what it says.
class HeaderMaker final {
public:
  HeaderMaker();
  ~HeaderMaker() noexcept(false) { crypt_free(context); }
  KJ_DISALLOW_COPY_AND_MOVE(HeaderMaker);

  void format();
  void addSlot(const Secret& passphrase);
  kj::Array<kj::byte> read() const;

private:
  kj::AutoCloseFd memory;
  struct crypt_device* context = nullptr;
  kj::String said;

  static void hear(int level, const char* message, void* self);
  static void ignore(int level, const char* message, void*) {}
  // Fails if `result` says so, with what libcryptsetup said.
  void require(kj::StringPtr call, int result);
};

HeaderMaker::HeaderMaker() {
  // No disk sees a header before the volume's own file has it.
  int fd;
  KJ_SYSCALL(fd = memfd_create("luks", MFD_CLOEXEC));
  memory = kj::AutoCloseFd(fd);
  KJ_SYSCALL(ftruncate(memory, LUKS_AREA_BYTES + DATA_BYTES));
  // What has no context yet would be printed.
  static const bool isQuiet = (crypt_set_log_callback(nullptr, &ignore, nullptr), true);
  KJ_ASSERT(isQuiet);
  require("crypt_init", crypt_init(&context, kj::str("/proc/self/fd/", fd).cStr()));
  crypt_set_log_callback(context, &hear, this);
}

void HeaderMaker::format() {
  crypt_set_rng_type(context, CRYPT_RNG_URANDOM);
  // Forced iterations: measuring the machine would take seconds.
  struct crypt_pbkdf_type stretching{};
  stretching.type = CRYPT_KDF_PBKDF2;
  stretching.hash = HASH;
  stretching.iterations = PBKDF2_ITERATIONS;
  stretching.flags = CRYPT_PBKDF_NO_BENCHMARK;
  require("crypt_set_pbkdf_type", crypt_set_pbkdf_type(context, &stretching));

  struct crypt_params_luks1 parameters{};
  parameters.hash = HASH;
  require("crypt_format", crypt_format(context, CRYPT_LUKS1, CIPHER, MODE, nullptr, nullptr,
                                       VOLUME_KEY_BYTES, &parameters));
}

void HeaderMaker::addSlot(const Secret& passphrase) {
  auto text = passphrase.bytes().asChars();
  require("crypt_keyslot_add_by_volume_key",
          crypt_keyslot_add_by_volume_key(context, 0, nullptr, 0, text.begin(), text.size()));
}

kj::Array<kj::byte> HeaderMaker::read() const {
  auto area = kj::heapArray<kj::byte>(LUKS_AREA_BYTES);
  for (size_t done = 0; done < area.size();) {
    ssize_t count;
    KJ_SYSCALL(count = pread(memory, area.begin() + done, area.size() - done, done));
    KJ_ASSERT(count > 0, "libcryptsetup made its file shorter");
    done += count;
  }
  return area;
}

void HeaderMaker::hear(int level, const char* message, void* self) {
  if (level != CRYPT_LOG_ERROR) return;
  auto& said = static_cast<HeaderMaker*>(self)->said;
  said = kj::str(said, message);
}

void HeaderMaker::require(kj::StringPtr call, int result) {
  if (result < 0) KJ_FAIL_SYSCALL("libcryptsetup", -result, call, said);
}

// Whether a field holds this and then zero.
bool isText(const char (&field)[32], kj::StringPtr text) {
  return strncmp(field, text.cStr(), sizeof(field)) == 0;
}

}  // namespace

kj::Array<kj::byte> newLuksArea(const Secret& key) {
  HeaderMaker maker;
  maker.format();
  maker.addSlot(hexadecimal(key));
  auto area = maker.read();
  KJ_IF_MAYBE (fault, luksFault(area)) {
    KJ_FAIL_ASSERT("this libcryptsetup makes another header than QEMU and bothyd expect", *fault);
  }
  return area;
}

kj::Maybe<kj::String> luksFault(kj::ArrayPtr<const kj::byte> bytes) {
  auto header = layoutAt<Header>(bytes);
  auto raw = bytesOf(header);
  if (std::all_of(raw.begin(), raw.end(), [](kj::byte byte) { return byte == 0; })) {
    return kj::str("has no LUKS header any more: it was destroyed in part");
  }
  if (memcmp(header.magic, MAGIC.begin(), sizeof(header.magic)) != 0 ||
      header.version.get() != VERSION) {
    return kj::str("has no LUKS header of version 1");
  }
  if (!isText(header.cipher, CIPHER) || !isText(header.mode, MODE) || !isText(header.hash, HASH) ||
      header.volumeKeyBytes.get() != VOLUME_KEY_BYTES) {
    return kj::str("has a LUKS header of another cipher than it was made with");
  }
  bool isOurs = header.payloadSector.get() == LUKS_AREA_BYTES / SECTOR_BYTES &&
                header.digestIterations.get() == PBKDF2_ITERATIONS;
  for (size_t i = 0; i < kj::size(header.slots); ++i) {
    auto& slot = header.slots[i];
    // Of a slot that is not in use nothing else counts.
    isOurs = isOurs && slot.use.get() == (i == 0 ? SLOT_IN_USE : SLOT_FREE) &&
             slot.sector.get() == FIRST_SLOT_SECTOR + i * SLOT_SECTORS &&
             slot.stripes.get() == STRIPES && (i > 0 || slot.iterations.get() == PBKDF2_ITERATIONS);
  }
  if (!isOurs) return kj::str("has a LUKS header with other key slots than it was made with");
  return nullptr;
}

}  // namespace bothy
