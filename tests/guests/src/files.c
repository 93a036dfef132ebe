/* files: works on a small file in the directory that the host gives ("/", else "."): create, write, seek, read,
 * stat, list, rename, unlink. Prints one line per step; exit code 1 and the step on stderr when one fails.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char first_path[64], second_path[64];

static void need(int ok, const char *step) {
  if (ok) return;
  fprintf(stderr, "files: ");
  perror(step);
  exit(1);
}

static void list(const char *root, const char *when) {
  DIR *directory = opendir(root);
  need(directory != NULL, "opendir");
  int has_first = 0, has_second = 0;
  for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
    has_first |= strcmp(entry->d_name, "first.txt") == 0;
    has_second |= strcmp(entry->d_name, "second.txt") == 0;
  }
  closedir(directory);
  printf("list %s:%s%s%s\n", when, has_first ? " first.txt" : "", has_second ? " second.txt" : "",
         has_first || has_second ? "" : " nothing");
}

int main(void) {
  const char *root = "/";
  DIR *probe = opendir(root);
  if (probe == NULL) probe = opendir(root = ".");
  need(probe != NULL, "open a root");
  closedir(probe);
  snprintf(first_path, sizeof first_path, "%s/first.txt", strcmp(root, "/") == 0 ? "" : root);
  snprintf(second_path, sizeof second_path, "%s/second.txt", strcmp(root, "/") == 0 ? "" : root);

  int file = open(first_path, O_CREAT | O_TRUNC | O_RDWR, 0644);
  need(file >= 0, "open");
  need(write(file, "hello, files", 12) == 12, "write");
  printf("wrote 12 bytes\n");
  need(lseek(file, 7, SEEK_SET) == 7, "lseek");
  char text[16] = {0};
  need(read(file, text, sizeof text - 1) == 5, "read");
  printf("read at 7: %s\n", text);
  need(lseek(file, -5, SEEK_END) == 7 && write(file, "FILES", 5) == 5, "overwrite");
  struct stat status;
  need(fstat(file, &status) == 0, "fstat");
  printf("size %lld\n", (long long)status.st_size);
  need(close(file) == 0, "close");

  list(root, "after create");
  need(rename(first_path, second_path) == 0, "rename");
  list(root, "after rename");
  need(open(first_path, O_RDONLY) < 0, "the old name is gone");
  file = open(second_path, O_RDONLY);
  need(file >= 0, "reopen");
  memset(text, 0, sizeof text);
  need(read(file, text, sizeof text - 1) == 12, "reread");
  printf("reread: %s\n", text);
  need(close(file) == 0, "close again");
  need(unlink(second_path) == 0, "unlink");
  list(root, "after unlink");
  return 0;
}
