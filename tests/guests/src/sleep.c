/* sleep: sleeps for the milliseconds of its first argument, else of SLEEP_MS, else 50, then prints so.
 * Exit code 1: the host refused to sleep.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int main(int argc, char **argv) {
  const char *text = argc > 1 ? argv[1] : getenv("SLEEP_MS");
  long ms = text == NULL ? 50 : atol(text);
  struct timespec duration = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
  if (nanosleep(&duration, NULL) != 0) {
    perror("sleep: nanosleep");
    return 1;
  }
  printf("slept %ld ms\n", ms);
  return 0;
}
