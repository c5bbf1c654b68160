// The floor of a hibernation: an init that fills as many MiB of its memory as `touch` in its environment says with what cannot be
// compressed, says so, and then says something every few milliseconds.
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static const useconds_t PAUSE_MICROS = 5000;

static void say(const char* line, size_t size) {
  if (write(1, line, size) < 0) _exit(1);
}

int main(void) {
  const char* wanted = getenv("touch");
  const size_t size = (wanted == NULL ? 0 : strtoul(wanted, NULL, 10)) << 20;
  if (size > 0) {
    uint64_t* words = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (words == MAP_FAILED) return 1;
    uint64_t state = 88172645463325252u;
    for (size_t i = 0; i < size / sizeof(*words); i++) {
      state ^= state << 13;
      state ^= state >> 7;
      state ^= state << 17;
      words[i] = state;
    }
  }
  say("touched\n", 8);
  for (;;) {
    usleep(PAUSE_MICROS);
    say(".\n", 2);
  }
}
