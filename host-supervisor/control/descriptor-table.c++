#include "control/descriptor-table.h"

namespace bothy {

DescriptorTable::Entry::Entry(DescriptorTable& table, const SharedFd& fd)
    : number(table.take()), table(table) {
  table.descriptors.insert(number, &fd);
}

DescriptorTable::Entry::~Entry() noexcept(false) {
  table.descriptors.erase(number);
}

int DescriptorTable::take() {
  // Some are free: no process has so many descriptors.
  int number;
  do {
    number = next;
    next = number == last ? FIRST : number + 1;
  } while (descriptors.find(number) != nullptr);
  return number;
}

kj::Maybe<SharedFd> DescriptorTable::duplicate(int number) const {
  KJ_IF_MAYBE (fd, descriptors.find(number)) {
    return (*fd)->duplicate();
  }
  return nullptr;
}

}  // namespace bothy
