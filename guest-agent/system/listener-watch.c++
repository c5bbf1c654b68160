#include "system/listener-watch.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <kj/debug.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace bothy {
namespace {

// What the program reports: 32 bytes.
struct Report {
  uint32_t op;
  uint32_t port;
  uint64_t networkNamespace;
  uint32_t family;
  uint32_t address[3];  // IPv4: the first; IPv6: the first two of its words, and the last
};

// For two hundred reports that are not read yet; what comes above that is lost: then all ports are as if nobody had listened there.  A
// power of two, and twice as much of the agent's memory.
constexpr size_t RING_BYTES = 8 * 1024;
constexpr size_t REPORT_BYTES = sizeof(Report) + BPF_RINGBUF_HDR_SZ;
// Reports that are read before others get their turn.
constexpr kj::uint TURN_REPORTS = 64;

constexpr uint32_t BUSY = BPF_RINGBUF_BUSY_BIT, DISCARDED = BPF_RINGBUF_DISCARD_BIT;

long bpf(int command, union bpf_attr& attributes) {
  return syscall(SYS_bpf, command, &attributes, sizeof(attributes));
}

uint64_t pointer(const void* address) {
  return reinterpret_cast<uintptr_t>(address);
}

constexpr int REPORT_AT = -static_cast<int>(sizeof(Report));

// Instructions, as the kernel's own samples write them.
bpf_insn move(int to, int from) {
  return {BPF_ALU64 | BPF_MOV | BPF_X, static_cast<uint8_t>(to), static_cast<uint8_t>(from), 0, 0};
}
bpf_insn set(int to, int value) {
  return {BPF_ALU64 | BPF_MOV | BPF_K, static_cast<uint8_t>(to), 0, 0, value};
}
bpf_insn add(int to, int value) {
  return {BPF_ALU64 | BPF_ADD | BPF_K, static_cast<uint8_t>(to), 0, 0, value};
}
bpf_insn load(int to, int from, size_t offset) {
  return {BPF_LDX | BPF_MEM | BPF_W, static_cast<uint8_t>(to), static_cast<uint8_t>(from),
          static_cast<int16_t>(offset), 0};
}
// Into a field of the report, which is at the end of the stack.
bpf_insn store(int size, size_t field, int from) {
  return {static_cast<uint8_t>(BPF_STX | BPF_MEM | size), BPF_REG_10, static_cast<uint8_t>(from),
          static_cast<int16_t>(REPORT_AT + static_cast<int>(field)), 0};
}
bpf_insn call(int function) {
  return {BPF_JMP | BPF_CALL, 0, 0, 0, function};
}
// Over the next `count` instructions.
bpf_insn jumpIfEqual(int what, int value, int count) {
  return {BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint8_t>(what), 0, static_cast<int16_t>(count),
          value};
}
bpf_insn jumpUnlessEqual(int what, int value, int count) {
  return {BPF_JMP | BPF_JNE | BPF_K, static_cast<uint8_t>(what), 0, static_cast<int16_t>(count),
          value};
}

int loadProgram(int ring) {
  const bpf_insn instructions[] = {
      move(BPF_REG_6, BPF_REG_1),
      load(BPF_REG_7, BPF_REG_6, offsetof(bpf_sock_ops, op)),
      jumpIfEqual(BPF_REG_7, BPF_SOCK_OPS_TCP_LISTEN_CB, 4),
      // Its end is that of a socket in this state.
      jumpUnlessEqual(BPF_REG_7, BPF_SOCK_OPS_STATE_CB, 32),
      load(BPF_REG_8, BPF_REG_6, offsetof(bpf_sock_ops, args)),
      jumpUnlessEqual(BPF_REG_8, BPF_TCP_LISTEN, 30),
      jumpIfEqual(BPF_REG_8, BPF_TCP_LISTEN, 3),
      // Begins to listen: its end is to be reported.
      move(BPF_REG_1, BPF_REG_6),
      set(BPF_REG_2, BPF_SOCK_OPS_STATE_CB_FLAG),
      call(BPF_FUNC_sock_ops_cb_flags_set),
      store(BPF_W, offsetof(Report, op), BPF_REG_7),
      load(BPF_REG_8, BPF_REG_6, offsetof(bpf_sock_ops, local_port)),
      store(BPF_W, offsetof(Report, port), BPF_REG_8),
      load(BPF_REG_8, BPF_REG_6, offsetof(bpf_sock_ops, family)),
      store(BPF_W, offsetof(Report, family), BPF_REG_8),
      jumpIfEqual(BPF_REG_8, AF_INET6, 4),
      load(BPF_REG_8, BPF_REG_6, offsetof(bpf_sock_ops, local_ip4)),
      store(BPF_W, offsetof(Report, address[0]), BPF_REG_8),
      set(BPF_REG_9, 0),
      jumpIfEqual(BPF_REG_9, 0, 4),
      load(BPF_REG_8, BPF_REG_6, offsetof(bpf_sock_ops, local_ip6[0])),
      store(BPF_W, offsetof(Report, address[0]), BPF_REG_8),
      load(BPF_REG_8, BPF_REG_6, offsetof(bpf_sock_ops, local_ip6[2])),
      load(BPF_REG_9, BPF_REG_6, offsetof(bpf_sock_ops, local_ip6[3])),
      store(BPF_W, offsetof(Report, address[1]), BPF_REG_8),
      store(BPF_W, offsetof(Report, address[2]), BPF_REG_9),
      move(BPF_REG_1, BPF_REG_6),
      call(BPF_FUNC_get_netns_cookie),
      store(BPF_DW, offsetof(Report, networkNamespace), BPF_REG_0),
      // The map's descriptor: two instructions long.
      {BPF_LD | BPF_DW | BPF_IMM, BPF_REG_1, BPF_PSEUDO_MAP_FD, 0, ring},
      {0, 0, 0, 0, 0},
      move(BPF_REG_2, BPF_REG_10),
      add(BPF_REG_2, REPORT_AT),
      set(BPF_REG_3, sizeof(Report)),
      set(BPF_REG_4, 0),
      call(BPF_FUNC_ringbuf_output),
      set(BPF_REG_0, 1),
      {BPF_JMP | BPF_EXIT, 0, 0, 0, 0},
  };
  constexpr char LICENSE[] = "Dual MIT/GPL";
  union bpf_attr attributes = {};
  attributes.prog_type = BPF_PROG_TYPE_SOCK_OPS;
  attributes.expected_attach_type = BPF_CGROUP_SOCK_OPS;
  attributes.insns = pointer(instructions);
  attributes.insn_cnt = sizeof(instructions) / sizeof(instructions[0]);
  attributes.license = pointer(LICENSE);
  return static_cast<int>(bpf(BPF_PROG_LOAD, attributes));
}

// Of this process; 0 where the kernel does not say.
uint64_t ownNetworkNamespace() {
  int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return 0;
  kj::AutoCloseFd owned(fd);
  uint64_t cookie = 0;
  socklen_t size = sizeof(cookie);
  ::getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size);
  return cookie;
}

bool isLoopback(const Report& report) {
  constexpr uint32_t FIRST_BYTE = 0xff, LOOPBACK = 127;
  if (report.family == AF_INET) return (report.address[0] & FIRST_BYTE) == LOOPBACK;
  return report.address[0] == 0 && report.address[1] == 0 && report.address[2] == htobe32(1);
}

}  // namespace

// The reports, as the kernel lays them out: a page with our position, one with its own, and the data, which is mapped twice in a
// row so that none is cut in two.
class ListenerWatch::Ring final {
public:
  explicit Ring(kj::AutoCloseFd mapParam) : map(kj::mv(mapParam)) {
    const size_t page = getpagesize();
    readable = ::mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_SHARED, map.get(), 0);
    written = ::mmap(nullptr, page + 2 * RING_BYTES, PROT_READ, MAP_SHARED, map.get(), page);
    KJ_REQUIRE(readable != MAP_FAILED && written != MAP_FAILED, "cannot map the reports", errno);
  }
  ~Ring() noexcept(false) {
    const size_t page = getpagesize();
    ::munmap(readable, page);
    ::munmap(written, page + 2 * RING_BYTES);
  }
  KJ_DISALLOW_COPY_AND_MOVE(Ring);

  int fd() const { return map.get(); }

  // `loss` is called first where some before it are missing.
  kj::Maybe<Report> next(kj::FunctionParam<void()> loss) {
    auto& position = *static_cast<unsigned long*>(readable);
    for (;;) {
      const auto end = __atomic_load_n(static_cast<unsigned long*>(written), __ATOMIC_ACQUIRE);
      if (end - position >= RING_BYTES - REPORT_BYTES) missing.noteFull(end);
      if (missing.areBefore(position)) loss();
      if (position >= end) return nullptr;
      auto* header =
          static_cast<kj::byte*>(written) + getpagesize() + (position & (RING_BYTES - 1));
      uint32_t length = __atomic_load_n(reinterpret_cast<uint32_t*>(header), __ATOMIC_ACQUIRE);
      if (length & BUSY) return nullptr;
      const uint32_t size = length & ~(BUSY | DISCARDED);
      Report report = {};
      const bool isReport = !(length & DISCARDED) && size == sizeof(report);
      if (isReport) memcpy(&report, header + BPF_RINGBUF_HDR_SZ, sizeof(report));
      constexpr uint32_t ALIGNMENT = 8;
      const auto whole = (size + BPF_RINGBUF_HDR_SZ + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
      __atomic_store_n(&position, position + whole, __ATOMIC_RELEASE);
      if (isReport) return report;
    }
  }

private:
  MissingReports missing;
  kj::AutoCloseFd map;
  void* readable;
  void* written;
};

bool ListenedPorts::add(ListenedPort port) {
  auto found = listeners.find(port);
  if (found != listeners.end()) {
    ++found->second;
    return false;
  }
  if (listeners.size() >= MAX_LISTENED_PORTS) return false;
  listeners[port] = 1;
  return true;
}

bool ListenedPorts::remove(ListenedPort port) {
  auto found = listeners.find(port);
  if (found == listeners.end() || --found->second > 0) return false;
  listeners.erase(found);
  return true;
}

bool MissingReports::areBefore(uint64_t position) {
  KJ_IF_MAYBE (known, place) {
    if (position < *known) return false;
    place = nullptr;
    return true;
  }
  return false;
}

ListenerWatch::ListenerWatch(kj::UnixEventPort& eventPort, kj::StringPtr group, Changed changed)
    : eventPort(eventPort), changed(kj::mv(changed)) {
  KJ_IF_MAYBE (problem, kj::runCatchingExceptions([&]() { start(group); })) {
    KJ_LOG(WARNING, "nobody notices which ports programs open", problem->getDescription());
  }
}

ListenerWatch::~ListenerWatch() noexcept(false) {}

void ListenerWatch::start(kj::StringPtr group) {
  int fd;
  union bpf_attr attributes = {};
  attributes.map_type = BPF_MAP_TYPE_RINGBUF;
  attributes.max_entries = RING_BYTES;
  KJ_SYSCALL(fd = static_cast<int>(bpf(BPF_MAP_CREATE, attributes)));
  auto& reports = *ring.emplace(kj::heap<Ring>(kj::AutoCloseFd(fd)));
  KJ_SYSCALL(fd = loadProgram(reports.fd()));
  program = kj::AutoCloseFd(fd);
  KJ_SYSCALL(fd = ::open(group.cStr(), O_RDONLY | O_DIRECTORY | O_CLOEXEC), group);
  kj::AutoCloseFd directory(fd);
  attributes = {};
  attributes.target_fd = directory.get();
  attributes.attach_bpf_fd = program.get();
  attributes.attach_type = BPF_CGROUP_SOCK_OPS;
  attributes.attach_flags = BPF_F_ALLOW_MULTI;
  KJ_SYSCALL(bpf(BPF_PROG_ATTACH, attributes));
  following = follow().eagerlyEvaluate([](kj::Exception&& e) {
    KJ_LOG(ERROR, "ports are not followed any more", e.getDescription());
  });
}

kj::Promise<void> ListenerWatch::follow() {
  auto& reports = *KJ_ASSERT_NONNULL(ring);
  kj::UnixEventPort::FdObserver observer(eventPort, reports.fd(),
                                         kj::UnixEventPort::FdObserver::OBSERVE_READ);
  const auto own = ownNetworkNamespace();
  for (kj::uint count = 0;;) {
    KJ_IF_MAYBE (report, reports.next([this]() { ports.beginAnew(); })) {
      // Not those of containers.
      if (own == 0 || report->networkNamespace == own) {
        const bool opens = report->op == BPF_SOCK_OPS_TCP_LISTEN_CB;
        ListenedPort port = {static_cast<uint16_t>(report->port), isLoopback(*report)};
        if (opens ? ports.add(port) : ports.remove(port)) {
          changed(opens ? Change::OPENED : Change::CLOSED, port);
        }
      }
      if (++count % TURN_REPORTS == 0) co_await kj::evalLast([]() {});
    } else {
      co_await observer.whenBecomesReadable();
    }
  }
}

}  // namespace bothy
