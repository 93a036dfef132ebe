/* flood_output: writes chunks of 1 MiB to stdout without end, and does not listen to refusals. */
#include <string.h>
#include <unistd.h>

int main(void) {
  static char chunk[1 << 20];
  memset(chunk, 'x', sizeof chunk);
  for (;;) write(1, chunk, sizeof chunk);
}
