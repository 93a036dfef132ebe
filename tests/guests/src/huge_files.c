/* huge_files: fills one file until a write fails, then prints the bytes written and the error.
 * Exit code 1: there is no directory in which to open a file.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(void) {
  static char chunk[1 << 20];
  memset(chunk, 'x', sizeof chunk);
  int file = open("/huge.bin", O_CREAT | O_TRUNC | O_WRONLY, 0644);
  if (file < 0) file = open("./huge.bin", O_CREAT | O_TRUNC | O_WRONLY, 0644);
  if (file < 0) {
    perror("huge_files: open");
    return 1;
  }
  unsigned long long total = 0;
  for (;;) {
    ssize_t length = write(file, chunk, sizeof chunk);
    if (length <= 0) break;
    total += (unsigned long long)length;
  }
  printf("wrote %llu bytes, then errno %d (%s)\n", total, errno, strerror(errno));
  return 0;
}
