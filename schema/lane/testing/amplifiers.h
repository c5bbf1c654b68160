#pragma once

#include <capnp/any.h>
#include <capnp/serialize.h>
#include <kj/debug.h>
#include <kj/vector.h>
#include <string.h>

namespace bothy {

constexpr uint64_t MOST_ELEMENTS = (1u << 29) - 1;
constexpr size_t DEEP = 100 * 1000;
constexpr kj::uint SHARING_LEVELS = 10;

// Pointers as they stand in a message (https://capnproto.org/encoding.html).  `to` and `from` are words of the message.
inline uint64_t structAt(size_t to, size_t from, uint16_t data, uint16_t pointers) {
  const auto offset = static_cast<int32_t>(to) - static_cast<int32_t>(from) - 1;
  return (static_cast<uint32_t>(offset) << 2) | uint64_t(data) << 32 | uint64_t(pointers) << 48;
}
enum class Elements { VOIDS = 0, WORDS = 5, POINTERS = 6, STRUCTS = 7 };
inline uint64_t listAt(size_t to, size_t from, Elements elements, uint64_t count) {
  return 1 | structAt(to, from, 0, 0) | uint64_t(elements) << 32 | count << 35;
}
inline uint64_t farTo(size_t to, bool isDouble) {
  return 2 | (isDouble ? 4 : 0) | to << 3;
}

// A message of one segment, in which words from `room` on are free.
struct Draft {
  kj::Array<uint64_t> words;
  size_t pointer;  // the word that is made to mean too much
  size_t room;

  void point(uint64_t to) { words[pointer] = to; }
  // Adds so many words; the first of them.
  size_t lengthen(size_t count) {
    const size_t first = words.size();
    auto longer = kj::heapArray<uint64_t>(first + count);
    memset(longer.begin(), 0, longer.asBytes().size());
    memcpy(longer.begin(), words.begin(), words.asBytes().size());
    words = kj::mv(longer);
    return first;
  }
};
constexpr kj::uint ROOM = 64;

// Makes a short message mean more than it holds.
struct Amplifier {
  kj::StringPtr name;
  void (*apply)(Draft&);
};
inline const Amplifier AMPLIFIERS[] = {
    {"a list of 2^29 voids",
     [](Draft& d) { d.point(listAt(d.room, d.pointer, Elements::VOIDS, MOST_ELEMENTS)); }},
    {"a list of 2^29 structs without words",
     [](Draft& d) {
       d.point(listAt(d.room, d.pointer, Elements::STRUCTS, 0));
       d.words[d.room] = MOST_ELEMENTS << 2;
     }},
    {"a struct that holds itself", [](Draft& d) { d.point(structAt(d.pointer, d.pointer, 0, 1)); }},
    {"a struct that holds itself many times",
     [](Draft& d) {
       d.point(structAt(d.room, d.pointer, 0, ROOM));
       for (auto i : kj::range(d.room, d.room + ROOM)) d.words[i] = structAt(d.room, i, 0, ROOM);
     }},
    {"a list that holds itself many times",
     [](Draft& d) {
       d.point(listAt(d.room, d.pointer, Elements::POINTERS, ROOM));
       for (auto i : kj::range(d.room, d.room + ROOM)) {
         d.words[i] = listAt(d.room, i, Elements::POINTERS, ROOM);
       }
     }},
    {"a far pointer to itself", [](Draft& d) { d.point(farTo(d.pointer, false)); }},
    {"a double far pointer to itself", [](Draft& d) { d.point(farTo(d.pointer, true)); }},
    {"a struct behind the message's end",
     [](Draft& d) { d.point(structAt(d.words.size() + (1 << 28), d.pointer, 0xffff, 0xffff)); }},
    {"a list that is larger than the message",
     [](Draft& d) { d.point(listAt(d.room, d.pointer, Elements::POINTERS, MOST_ELEMENTS)); }},
    {"structs that share one another on ten levels",
     [](Draft& d) {
       const size_t first = d.lengthen(SHARING_LEVELS * ROOM);
       d.point(structAt(first, d.pointer, 0, ROOM));
       for (auto level : kj::range(1u, SHARING_LEVELS)) {
         const size_t next = first + level * ROOM;
         for (auto i : kj::range(next - ROOM, next)) d.words[i] = structAt(next, i, 0, ROOM);
       }
     }},
    {"100,000 structs in one another",
     [](Draft& d) {
       const size_t first = d.lengthen(DEEP);
       d.point(structAt(first, d.pointer, 0, 1));
       for (auto i : kj::range(first, first + DEEP - 1)) d.words[i] = structAt(i + 1, i, 0, 1);
     }},
};

// A message with a list of words at the place that `fill` names.
template <typename Fill>
Draft draft(Fill&& fill) {
  constexpr uint64_t MARK = 0x626f746879206d61;
  capnp::MallocMessageBuilder message(1024);
  capnp::AnyPointer::Builder place = fill(message);
  auto list = place.initAs<capnp::List<uint64_t>>(ROOM);
  for (auto i : kj::indices(list)) list.set(i, MARK);
  auto segments = message.getSegmentsForOutput();
  KJ_REQUIRE(segments.size() == 1);
  Draft result{kj::heapArray<uint64_t>(segments[0].size()), 0, 0};
  memcpy(result.words.begin(), segments[0].begin(), segments[0].asBytes().size());
  while (result.words[result.room] != MARK) ++result.room;
  auto isPointer = [&]() {
    return result.words[result.pointer] ==
           listAt(result.room, result.pointer, Elements::WORDS, ROOM);
  };
  while (!isPointer()) ++result.pointer;
  for (auto i : kj::zeroTo(ROOM)) result.words[result.room + i] = 0;
  return result;
}

inline kj::Array<kj::byte> framed(const Draft& draft) {
  auto header = kj::arr<uint32_t>(0, static_cast<uint32_t>(draft.words.size()));
  kj::Vector<kj::byte> out;
  out.addAll(header.asBytes());
  out.addAll(draft.words.asPtr().asBytes());
  return out.releaseAsArray();
}

}  // namespace bothy
