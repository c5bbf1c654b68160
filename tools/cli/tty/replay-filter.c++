#include "tty/replay-filter.h"

#include <string.h>

#include <kj/string.h>

namespace bothy {
namespace {

using Bytes = kj::ArrayPtr<const kj::byte>;

constexpr kj::byte ENQUIRY = 0x05;

bool contains(Bytes bytes, kj::StringPtr part) {
  return memmem(bytes.begin(), bytes.size(), part.begin(), part.size()) != nullptr;
}

// CSI: `body` is what stands between "ESC [" and the final byte.
bool isControlQuery(Bytes body, kj::byte final) {
  kj::byte prefix = body.size() > 0 ? body[0] : 0;
  switch (final) {
    case 'c':
      return true;  // DA1, DA2, DA3
    case 'n':
      return prefix != '>';  // DSR; "> n" sets modifyOtherKeys
    case 'x':
      return body.size() <= 1;  // DECREQTPARM
    case 'p':
      return body.size() > 0 && body.back() == '$';  // DECRQM
    case 'q':
      return prefix == '>';  // XTVERSION
    case 'u':
      return prefix == '?';  // keyboard protocol
    case 'S':
      return prefix == '?';  // XTSMGRAPHICS
    case 't':
      return body.size() == 2 && (prefix == '1' || prefix == '2') && body[1] != '2' &&
             body[1] != '3';  // window reports 11, 14..16, 18..21; 22 and 23 keep titles
    case 'w':
      return body.size() > 0 && body.back() == '$';  // DECRQPSR
    case 'y':
      return body.size() > 0 && body.back() == '*';  // DECRQCRA
  }
  return false;
}

}  // namespace

bool ReplayFilter::isQuery(Bytes sequence) {
  if (sequence.size() < 2) return false;
  auto body = sequence.slice(2, sequence.size());
  switch (sequence[1]) {
    case '[':
      return body.size() > 0 && isControlQuery(body.slice(0, body.size() - 1), body.back());
    case 'Z':
      return true;  // DECID
    case 'P':
      return contains(body, "$q") || contains(body, "+q");  // DECRQSS, XTGETTCAP
    case ']':
      return contains(body, ";?");  // colours, clipboard, fonts
    case '_':
      return body.size() > 0 && body[0] == 'G';  // graphics: may be a query
  }
  return false;
}

bool ReplayFilter::isMargins(Bytes sequence) {
  if (sequence.size() < 3 || sequence[1] != '[' || sequence.back() != 'r') return false;
  for (auto byte : sequence.slice(2, sequence.size() - 1)) {
    if (byte != ';' && (byte < '0' || byte > '9')) return false;
  }
  return true;
}

kj::Array<kj::byte> ReplayFilter::filter(Bytes output) {
  kj::Vector<kj::byte> result(output.size());
  splitter.split(output, [&](EscapeSplitter::Kind kind, Bytes piece) {
    if (kind == EscapeSplitter::Kind::SEQUENCE) {
      bool shown = !isQuery(piece) && (sameSize || !isMargins(piece));
      if (shown) result.addAll(piece);
      return;
    }
    for (auto byte : piece) {
      if (byte != ENQUIRY) result.add(byte);
    }
  });
  return result.releaseAsArray();
}

}  // namespace bothy
