#include "control/descriptor-table.h"

#include <kj/debug.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

namespace bothy {
namespace {

TEST_CASE("S01 a descriptor's number means it for as long as it is held, and nothing afterwards") {
  DescriptorTable table;
  int ends[2];
  KJ_SYSCALL(pipe(ends));
  SharedFd first(kj::AutoCloseFd(ends[0]), getuid()), second(kj::AutoCloseFd(ends[1]), getuid());
  auto one = kj::heap<DescriptorTable::Entry>(table, first);
  DescriptorTable::Entry two(table, second);
  CHECK(one->number != two.number);

  struct stat original, copied;
  KJ_SYSCALL(fstat(first.get(), &original));
  KJ_SYSCALL(fstat(KJ_ASSERT_NONNULL(table.duplicate(one->number)).get(), &copied));
  CHECK(original.st_ino == copied.st_ino);

  const int number = one->number;
  one = nullptr;
  CHECK(table.duplicate(number) == nullptr);
  // Also not when there is another, under whatever number the kernel gave it.
  DescriptorTable::Entry three(table, first);
  CHECK(table.duplicate(number) == nullptr);
  CHECK(table.duplicate(first.get()) == nullptr);
}

TEST_CASE("S01 when all numbers were used they come again, but for those in use") {
  constexpr int NUMBERS = 10;
  DescriptorTable table(DescriptorTable::FIRST + NUMBERS - 1);
  auto some = SharedFd::duplicateOf(STDERR_FILENO, getuid());
  DescriptorTable::Entry held(table, some);
  int last = held.number;
  for (int i = 0; i < 10 * NUMBERS; ++i) {
    DescriptorTable::Entry next(table, some);
    CHECK(next.number != held.number);
    CHECK(next.number != last);
    CHECK(next.number >= DescriptorTable::FIRST);
    CHECK(next.number < DescriptorTable::FIRST + NUMBERS);
    last = next.number;
  }
  CHECK(table.duplicate(held.number) != nullptr);
}

}  // namespace
}  // namespace bothy
