/*
 * printf of kernels on a GPU: texts of a launch, kept until the host reads them.
 *
 * Takes the place of the driver's vprintf (gpu/cuda/print_rewrite.ts), whose output is the process's, for all of its
 * contexts together. A record is copied to a buffer of the module: size, place of the arguments, the format, the
 * arguments as they lie, the strings; pointers to strings become places in the record, so that the host follows no
 * address that a kernel made. What does not fit any more is dropped. Built into gpu/cuda/print_ptx.ts by
 * tests/gpu/cuda/build_print.ts.
 */
typedef unsigned long long u64;

#define BUFFER_BYTES (256 * 1024)
#define FORMAT_BYTES_MAX 4096
#define STRING_BYTES_MAX 1024
#define ARGUMENTS_MAX 32

/* Bytes used, then records. */
extern "C" __device__ u64 tensor_wasm_print_buffer[1 + BUFFER_BYTES / 8] = {};

static __device__ unsigned up8(unsigned value) { return (value + 7) & ~7u; }

static __device__ unsigned lengthOf(const char *text, unsigned most) {
  unsigned length = 0;
#pragma unroll 1
  while (length < most && text[length]) length++;
  return length;
}

extern "C" __device__ __noinline__ int tensor_wasm_print(const char *format, const char *arguments) {
  const unsigned formatLength = lengthOf(format, FORMAT_BYTES_MAX);
  const unsigned argsAt = 8 + up8(formatLength + 1);
  char *record = 0;
  unsigned stringsAt = 0;
  /* Once to measure, once to copy. */
#pragma unroll 1
  for (;;) {
    unsigned args = 0, count = 0, strings = stringsAt;
#pragma unroll 1
    for (unsigned at = 0; at < formatLength;) {
      if (record) record[8 + at] = format[at];
      if (format[at++] != '%') continue;
      unsigned size = 0;
      bool isLong = false, isDone = false;
#pragma unroll 1
      while (!isDone && at < formatLength) {
        const char letter = format[at];
        if (record) record[8 + at] = letter;
        at++;
        isDone = true;
        size = 0;
        switch (letter) {
          case '*': size = 4; isDone = false; break;
          case 'l': case 'j': case 'z': case 't': isLong = true; isDone = false; break;
          case '-': case '+': case ' ': case '#': case '.': case 'h': case 'L': isDone = false; break;
          case 'd': case 'i': case 'o': case 'u': case 'x': case 'X': case 'c': size = isLong ? 8 : 4; break;
          case 'p': case 's': case 'f': case 'F': case 'e': case 'E': case 'g': case 'G': case 'a': case 'A': size = 8; break;
          default: isDone = letter < '0' || letter > '9';
        }
        if (size == 0 || count++ >= ARGUMENTS_MAX) continue;
        args = (args + size - 1) & ~(size - 1);
        if (size == 4) {
          if (record) *(unsigned *)(record + argsAt + args) = *(const unsigned *)(arguments + args);
        } else {
          u64 value = *(const u64 *)(arguments + args);
          if (letter == 's' && value) {
            const char *text = (const char *)value;
            const unsigned length = lengthOf(text, STRING_BYTES_MAX);
            if (record) {
#pragma unroll 1
              for (unsigned each = 0; each < length; each++) record[strings + each] = text[each];
              value = strings;
            }
            strings += length + 1;
          }
          if (record) *(u64 *)(record + argsAt + args) = value;
        }
        args += size;
      }
    }
    if (record) return (int)count;
    stringsAt = argsAt + up8(args);
    const unsigned bytes = up8(stringsAt + strings);
    const u64 offset = atomicAdd(tensor_wasm_print_buffer, (u64)bytes);
    if (offset + bytes > BUFFER_BYTES) return -1;
    record = (char *)(tensor_wasm_print_buffer + 1) + offset;
    ((unsigned *)record)[0] = bytes;
    ((unsigned *)record)[1] = argsAt;
  }
}
