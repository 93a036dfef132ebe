/* echo: copies stdin to stdout, byte for byte. Exit code 1: a read or write failed. */
#include <stddef.h>
#include <unistd.h>

int main(void) {
  static char buffer[65536];
  ssize_t length;
  while ((length = read(0, buffer, sizeof buffer)) > 0) {
    for (ssize_t sent = 0; sent < length;) {
      ssize_t done = write(1, buffer + sent, (size_t)(length - sent));
      if (done <= 0) return 1;
      sent += done;
    }
  }
  return length < 0 ? 1 : 0;
}
