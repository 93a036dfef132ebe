/* log_lines: prints lines on stdout and stderr in turns; the first argument, else LINES, says how many (5). */
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
  const char *text = argc > 1 ? argv[1] : getenv("LINES");
  int count = text == NULL ? 5 : atoi(text);
  for (int line = 1; line <= count; line++) {
    printf("stdout line %d\n", line);
    fflush(stdout);
    fprintf(stderr, "stderr line %d\n", line);
  }
  return 0;
}
