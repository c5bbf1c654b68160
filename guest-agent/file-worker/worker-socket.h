#pragma once

#include <capnp/message.h>
#include <kj/io.h>
#include <sys/types.h>

#include "schema/limits.capnp.h"

namespace bothy {

// The packets between the agent and a file worker (schema/file-worker.capnp): lanes to the worker over a socket, and reports back over a
// pipe, which carries no descriptors.  Nothing here waits, but see Touch for the pipe.

// Of one packet, whatever it says: a Grant and a home.
constexpr size_t MAX_PACKET_BYTES = 16 * 1024;

struct WorkerSocket {
  kj::AutoCloseFd agent;  // takes nothing
  kj::AutoCloseFd worker;
};
WorkerSocket openWorkerSocket();

// Sends a message with a descriptor or (-1) without.  0, or errno: EAGAIN where the other end leaves too much unread.
int sendPacket(int socket, capnp::MessageBuilder& message, int descriptor = -1);

struct Packet {
  kj::Array<capnp::word> words;  // empty: the other end is gone
  kj::AutoCloseFd descriptor;    // none, where none came
};
// For the worker.  None: there is none yet.  A packet that is too large has lost its end.
kj::Maybe<Packet> receivePacket(int socket);

struct ReportPipe {
  kj::AutoCloseFd agent;
  kj::AutoCloseFd worker;
};
// Has room for a report of each lane.
ReportPipe openReportPipe();

constexpr size_t MAX_REPORT_BYTES = 4096;  // PIPE_BUF: more would be several packets
// For which the pipe has room: of a whole machine's lanes, whose places may have been had twice before the agent reads.
constexpr uint PIPE_REPORTS = 2 * rpc::MAX_LANES;
// Of a text in one: it may be the user's.
constexpr size_t MAX_BREACH_BYTES = 256;
// 0, or errno: EAGAIN where the other end leaves too much unread.
int sendReport(int pipe, capnp::MessageBuilder& message);
// None: there is none yet.  Empty: the other end is gone.
kj::Maybe<kj::Array<capnp::word>> receiveReport(int pipe);

// What was added to an eventfd since it was read last.  Does not wait whatever the other end did to its flags, which are of both.
uint64_t takeReceipts(int counter);

}  // namespace bothy
