/* exit_code: prints a line and exits with the code of its first argument, else of the variable EXIT_CODE, else 3. */
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
  const char *text = argc > 1 ? argv[1] : getenv("EXIT_CODE");
  int code = text == NULL ? 3 : atoi(text);
  printf("exiting with %d\n", code);
  exit(code);
}
