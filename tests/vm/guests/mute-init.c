// An init that says on the console that it is there, and nothing to whoever dials.

#include <unistd.h>

int main(void) {
  static const char WORD[] = "mute: here\n";
  if (write(STDOUT_FILENO, WORD, sizeof(WORD) - 1) < 0) return 1;
  for (;;) pause();
}
