#pragma once

#include <kj/string.h>
#include <kj/vector.h>
#include <string.h>

#include <initializer_list>

namespace bothy {

// For tests: tar archives written byte by byte, because no honest library writes hostile ones.
class TestTar final {
public:
  TestTar& file(kj::StringPtr name, kj::StringPtr contents, uint mode = 0644) {
    return add(name, '0', "", contents, mode);
  }
  TestTar& directory(kj::StringPtr name, uint mode = 0755) {
    return add(name, '5', "", nullptr, mode);
  }
  TestTar& symlink(kj::StringPtr name, kj::StringPtr target) {
    return add(name, '2', target, nullptr, 0777);
  }
  TestTar& hardLink(kj::StringPtr name, kj::StringPtr target) {
    return add(name, '1', target, nullptr, 0644);
  }
  // `type` as in the header: '3' and '4' are devices, '6' a FIFO.
  TestTar& special(kj::StringPtr name, char type) { return add(name, type, "", nullptr, 0666); }
  // The next entry's name, of any length and with any byte, as a pax record.
  TestTar& paxPath(kj::ArrayPtr<const char> path) { return pax({{"path", path}}); }
  struct PaxRecord {
    kj::StringPtr key;
    kj::ArrayPtr<const char> value;
  };
  TestTar& pax(std::initializer_list<PaxRecord> records) {
    kj::Vector<kj::String> texts;
    for (auto& record : records) {
      auto length = record.key.size() + record.value.size() + 3;  // " ", "=" and "\n"
      auto total = length;
      while (total != length + kj::str(total).size()) total = length + kj::str(total).size();
      texts.add(kj::str(total, " ", record.key, "=", record.value, "\n"));
    }
    return add("PaxHeader", 'x', "", kj::strArray(texts, "").asArray(), 0644);
  }
  TestTar& longName(kj::StringPtr name) {  // GNU's
    return add("././@LongLink", 'L', "", kj::heapString(name.begin(), name.size() + 1), 0644);
  }

  kj::Array<kj::byte> finish() {
    for (int i = 0; i < 1024; i++) bytes.add(0);
    return bytes.releaseAsArray();
  }
  // What there is so far, without an end.
  kj::Array<kj::byte> take() { return bytes.releaseAsArray(); }

private:
  kj::Vector<kj::byte> bytes;

  TestTar& add(kj::StringPtr name, char type, kj::StringPtr link, kj::ArrayPtr<const char> contents,
               uint mode) {
    char header[512] = {};
    memcpy(header, name.begin(), kj::min(name.size(), size_t(100)));
    snprintf(header + 100, 8, "%07o", mode);
    snprintf(header + 108, 8, "%07o", 0);
    snprintf(header + 116, 8, "%07o", 0);
    snprintf(header + 124, 12, "%011zo", contents.size());
    snprintf(header + 136, 12, "%011o", 1000000000);
    header[156] = type;
    memcpy(header + 157, link.begin(), kj::min(link.size(), size_t(100)));
    constexpr char MAGIC[] = {'u', 's', 't', 'a', 'r', 0, '0', '0'};  // magic and version
    memcpy(header + 257, MAGIC, sizeof(MAGIC));
    memset(header + 148, ' ', 8);
    uint sum = 0;
    for (char c : header) sum += static_cast<unsigned char>(c);
    snprintf(header + 148, 8, "%06o", sum);
    append(kj::arrayPtr(header, sizeof(header)));
    append(contents);
    while (bytes.size() % 512 != 0) bytes.add(0);
    return *this;
  }
  void append(kj::ArrayPtr<const char> data) { bytes.addAll(data.asBytes()); }
};

}  // namespace bothy
