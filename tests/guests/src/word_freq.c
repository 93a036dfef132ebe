/* word_freq: the word frequencies of the text on stdin, as "count<TAB>word" lines, most frequent first, ties in
 * the order of their bytes.
 *
 * A word is a longest run of ASCII letters and of bytes from 0x80, so that the letters of other scripts in UTF-8
 * belong to words; ASCII letters are lower-cased. The text is read in pieces and is never kept whole; only memory
 * limits the number and length of words. Exit code 1: out of memory or stdin cannot be read.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct {
  size_t start; /* of the word in `letters` */
  size_t length;
  uint32_t hash;
  uint32_t count;
} Word;

static char *letters; /* all different words, one after the other */
static size_t letters_length, letters_capacity;
static Word *words;
static size_t words_length, words_capacity;
static size_t *slots; /* open addressing: index into `words` plus one, zero when free */
static size_t slots_capacity;

static void fail(const char *what) {
  fprintf(stderr, "word_freq: %s\n", what);
  exit(1);
}

static void *resize(void *old, size_t count, size_t size) {
  if (count > SIZE_MAX / size) fail("out of memory");
  void *new = realloc(old, count * size);
  if (new == NULL) fail("out of memory");
  return new;
}

static size_t doubled(size_t capacity, size_t first) {
  if (capacity > SIZE_MAX / 2) fail("out of memory");
  return capacity == 0 ? first : capacity * 2;
}

static void append_letter(char letter) {
  if (letters_length == letters_capacity) {
    letters_capacity = doubled(letters_capacity, 4096);
    letters = resize(letters, letters_capacity, 1);
  }
  letters[letters_length++] = letter;
}

static void grow_slots(void) {
  slots_capacity = doubled(slots_capacity, 1024);
  slots = resize(slots, slots_capacity, sizeof *slots);
  memset(slots, 0, slots_capacity * sizeof *slots);
  for (size_t i = 0; i < words_length; i++) {
    size_t at = words[i].hash & (slots_capacity - 1);
    while (slots[at] != 0) at = (at + 1) & (slots_capacity - 1);
    slots[at] = i + 1;
  }
}

/* Counts the word that was appended to `letters` from `start` on, and takes it back when it is known. */
static void count_word(size_t start, uint32_t hash) {
  size_t length = letters_length - start;
  if (words_length * 2 >= slots_capacity) grow_slots();
  size_t at = hash & (slots_capacity - 1);
  for (; slots[at] != 0; at = (at + 1) & (slots_capacity - 1)) {
    Word *word = &words[slots[at] - 1];
    if (word->hash != hash || word->length != length) continue;
    if (memcmp(letters + word->start, letters + start, length) != 0) continue;
    word->count++;
    letters_length = start;
    return;
  }
  if (words_length == words_capacity) {
    words_capacity = doubled(words_capacity, 512);
    words = resize(words, words_capacity, sizeof *words);
  }
  words[words_length] = (Word){start, length, hash, 1};
  slots[at] = ++words_length;
}

static int compare_words(const void *left, const void *right) {
  const Word *a = left, *b = right;
  if (a->count != b->count) return a->count < b->count ? 1 : -1;
  size_t shorter = a->length < b->length ? a->length : b->length;
  int order = memcmp(letters + a->start, letters + b->start, shorter);
  if (order != 0) return order;
  return a->length < b->length ? -1 : 1;
}

int main(void) {
  static unsigned char buffer[65536];
  const uint32_t hash_start = 2166136261u; /* FNV-1a */
  size_t start = 0;
  uint32_t hash = hash_start;
  ssize_t length;
  while ((length = read(0, buffer, sizeof buffer)) > 0) {
    for (ssize_t i = 0; i < length; i++) {
      unsigned char byte = buffer[i];
      if (byte >= 'A' && byte <= 'Z') byte += 'a' - 'A';
      if ((byte >= 'a' && byte <= 'z') || byte >= 0x80) {
        append_letter((char)byte);
        hash = (hash ^ byte) * 16777619u;
      } else if (letters_length > start) {
        count_word(start, hash);
        start = letters_length;
        hash = hash_start;
      }
    }
  }
  if (length < 0) fail("cannot read stdin");
  if (letters_length > start) count_word(start, hash);
  if (words_length > 0) qsort(words, words_length, sizeof *words, compare_words);
  for (size_t i = 0; i < words_length; i++) {
    printf("%u\t", (unsigned)words[i].count);
    fwrite(letters + words[i].start, 1, words[i].length, stdout);
    putchar('\n');
  }
  return fflush(stdout) == 0 ? 0 : 1;
}
