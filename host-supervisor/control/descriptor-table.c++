#include "control/descriptor-table.h"

#include <kj/debug.h>

#include <limits>

namespace bothy {

DescriptorTable::Entry::Entry(DescriptorTable& table, const SharedFd& fd)
    : number(table.next), table(table) {
  KJ_REQUIRE(table.next < std::numeric_limits<int>::max(), "no number is left for a descriptor");
  table.descriptors.insert(number, &fd);
  ++table.next;
}

DescriptorTable::Entry::~Entry() noexcept(false) {
  table.descriptors.erase(number);
}

kj::Maybe<SharedFd> DescriptorTable::duplicate(int number) const {
  KJ_IF_MAYBE (fd, descriptors.find(number)) {
    return (*fd)->duplicate();
  }
  return nullptr;
}

}  // namespace bothy
