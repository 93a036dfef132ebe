/* bench_json: a generated document of about 32 KiB parsed into a tree and written again, n times.
 * run(n) returns a checksum of the text last written; it traps if that is not the document itself.
 *
 * The parser takes what the writer writes: no spaces, integers, the escapes \" and \\. Nodes and texts live in
 * static arenas, reset per round.
 */
#include <stdint.h>
#include <string.h>

#define TEXT_MAX (64u * 1024)
#define NODES_MAX 8192u

typedef enum { NUL, FALSE, TRUE, NUMBER, STRING, ARRAY, OBJECT } Kind;

typedef struct Node {
  Kind kind;
  int32_t number;
  const char *text, *name; /* text of a string, name of a member: arena, ended by 0 */
  struct Node *child, *next;
} Node;

static char document[TEXT_MAX], written[TEXT_MAX], texts[TEXT_MAX];
static Node nodes[NODES_MAX];
static uint32_t nodes_used, texts_used, document_length;
static const char *at; /* where the parser reads */
static char *to;       /* where the writer writes */

static Node *parse_value(void);

static void expect(char byte) {
  if (*at++ != byte) __builtin_trap();
}

static Node *new_node(Kind kind) {
  if (nodes_used == NODES_MAX) __builtin_trap();
  Node *node = &nodes[nodes_used++];
  memset(node, 0, sizeof *node);
  node->kind = kind;
  return node;
}

static const char *parse_text(void) {
  const char *start = &texts[texts_used];
  expect('"');
  for (; *at != '"'; at++) {
    if (*at == '\\') at++;
    texts[texts_used++] = *at;
  }
  expect('"');
  texts[texts_used++] = 0;
  return start;
}

static Node *parse_word(const char *word, Kind kind) {
  size_t length = strlen(word);
  if (strncmp(at, word, length) != 0) __builtin_trap();
  at += length;
  return new_node(kind);
}

static Node *parse_number(void) {
  Node *node = new_node(NUMBER);
  int negative = *at == '-';
  at += negative;
  for (; *at >= '0' && *at <= '9'; at++) node->number = node->number * 10 + (*at - '0');
  if (negative) node->number = -node->number;
  return node;
}

static Node *parse_list(Kind kind, char open, char close) {
  Node *list = new_node(kind), **last = &list->child;
  expect(open);
  while (*at != close) {
    const char *name = NULL;
    if (kind == OBJECT) {
      name = parse_text();
      expect(':');
    }
    *last = parse_value();
    (*last)->name = name;
    last = &(*last)->next;
    if (*at != close) expect(',');
  }
  expect(close);
  return list;
}

static Node *parse_value(void) {
  switch (*at) {
    case '{': return parse_list(OBJECT, '{', '}');
    case '[': return parse_list(ARRAY, '[', ']');
    case 'n': return parse_word("null", NUL);
    case 'f': return parse_word("false", FALSE);
    case 't': return parse_word("true", TRUE);
    case '"': {
      Node *node = new_node(STRING);
      node->text = parse_text();
      return node;
    }
    default: return parse_number();
  }
}

static void write_word(const char *word) {
  while (*word != 0) *to++ = *word++;
}

static void write_text(const char *text) {
  *to++ = '"';
  for (; *text != 0; text++) {
    if (*text == '"' || *text == '\\') *to++ = '\\';
    *to++ = *text;
  }
  *to++ = '"';
}

static void write_number(int32_t number) {
  char digits[12];
  int length = 0;
  uint32_t rest = number < 0 ? -(uint32_t)number : (uint32_t)number;
  if (number < 0) *to++ = '-';
  do digits[length++] = (char)('0' + rest % 10);
  while ((rest /= 10) > 0);
  while (length > 0) *to++ = digits[--length];
}

static void write_value(const Node *node) {
  switch (node->kind) {
    case NUL: write_word("null"); return;
    case FALSE: write_word("false"); return;
    case TRUE: write_word("true"); return;
    case NUMBER: write_number(node->number); return;
    case STRING: write_text(node->text); return;
    case ARRAY:
    case OBJECT: break;
  }
  *to++ = node->kind == OBJECT ? '{' : '[';
  for (const Node *child = node->child; child != NULL; child = child->next) {
    if (node->kind == OBJECT) {
      write_text(child->name);
      *to++ = ':';
    }
    write_value(child);
    if (child->next != NULL) *to++ = ',';
  }
  *to++ = node->kind == OBJECT ? '}' : ']';
}

/* A list of 300 records, written as the writer would. */
static void generate(void) {
  static const char *const WORDS[] = {"amber", "birch", "cedar \"red\"", "dune", "elm\\oak", "fjord", "granite"};
  to = document;
  *to++ = '[';
  uint32_t seed = 7;
  for (int record = 0; record < 300; record++) {
    seed = seed * 1664525 + 1013904223;
    if (record > 0) *to++ = ',';
    write_word("{\"id\":"), write_number(record);
    write_word(",\"name\":"), write_text(WORDS[(seed >> 16) % 7]);
    write_word(",\"balance\":"), write_number((int32_t)seed >> 8);
    write_word(seed & 1 << 20 ? ",\"active\":true" : ",\"active\":false");
    write_word(",\"tags\":["), write_text(WORDS[(seed >> 8) % 7]), *to++ = ',', write_text(WORDS[(seed >> 12) % 7]);
    write_word("],\"place\":{\"x\":"), write_number((int32_t)(seed % 1000)), write_word(",\"y\":null}}");
  }
  *to++ = ']';
  *to = 0;
  document_length = (uint32_t)(to - document);
}

__attribute__((export_name("run"))) uint32_t run(uint32_t rounds) {
  if (document_length == 0) generate();
  for (uint32_t round = 0; round < rounds; round++) {
    nodes_used = texts_used = 0;
    at = document, to = written;
    write_value(parse_value());
  }
  uint32_t length = (uint32_t)(to - written), sum = length;
  if (rounds > 0 && (length != document_length || memcmp(document, written, length) != 0)) __builtin_trap();
  for (uint32_t i = 0; i < length; i++) sum = sum * 31 + (uint8_t)written[i];
  return sum;
}
