// @ts-nocheck This is AssemblyScript: its types and decorators are not those of TypeScript.
// deno-fmt-ignore-file
// deno-lint-ignore-file
/**
 * assembly_score: a summary of the numeric columns of a CSV text, over the byte channels of the tensor host.
 *
 * `main` reads the staged input, writes `column,count,min,max,mean` and one line per column that has a number
 * in it, and returns how many those are, or the negative code of the host. The first line of the input names the
 * columns; fields may be quoted; what is not a decimal number of at most 64 characters is passed over. `compound`
 * and `gcd` are plain functions on numbers. Nothing is ever freed, so nothing is allocated per field.
 */

@external("wasi:tensor/host", "input-len")
declare function inputLen(): i32;
@external("wasi:tensor/host", "read-input")
declare function readInput(ptr: usize, len: i32): i32;
@external("wasi:tensor/host", "emit-chunk")
declare function emitChunk(ptr: usize, len: i32): i32;

const CHUNK_BYTES_MAX: i32 = 65536;
const NUMBER_BYTES_MAX: i32 = 64;
const COMMA: u8 = 0x2c;
const QUOTE: u8 = 0x22;
const NEWLINE: u8 = 0x0a;
const RETURN: u8 = 0x0d;

/** Output that waits for its chunk to fill. */
const chunk = heap.alloc(CHUNK_BYTES_MAX);
let chunkLength: i32 = 0;
/** The text of the number that is being parsed, written in place. */
const numberText = " ".repeat(NUMBER_BYTES_MAX);

class Column {
  count: i32 = 0;
  min: f64 = Infinity;
  max: f64 = -Infinity;
  sum: f64 = 0;
  constructor(public name: string) {}
}

/** The value of `principal` after `years` at a yearly rate, compounded each year. */
export function compound(principal: f64, rate: f64, years: i32): f64 {
  let value = principal;
  for (let year = 0; year < years; year++) value *= 1 + rate;
  return value;
}

/** The greatest common divisor of two unsigned numbers; zero for two zeros. */
export function gcd(a: u64, b: u64): u64 {
  while (b != 0) {
    const rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

export function main(): i32 {
  const length = inputLen();
  if (length < 0) return length;
  const input = heap.alloc(<usize>max(length, 1));
  const got = readInput(input, length);
  if (got < 0) return got;
  const columns = new Array<Column>();
  summarise(input, input + <usize>min(got, length), columns);

  let code = write("column,count,min,max,mean\n");
  let numeric = 0;
  for (let index = 0; index < columns.length && code >= 0; index++) {
    const column = columns[index];
    if (column.count == 0) continue;
    numeric++;
    const mean = column.sum / column.count;
    code = write(`${column.name},${column.count},${column.min},${column.max},${mean}\n`);
  }
  if (code >= 0) code = flushChunk();
  return code < 0 ? code : numeric;
}

/** Walks over the fields; the first line fills `columns`, the others are counted into them. */
function summarise(start: usize, end: usize, columns: Array<Column>): void {
  let isHeader = true;
  let index = 0;
  let at = start;
  while (at < end) {
    const fieldEnd = findFieldEnd(at, end);
    if (isHeader) {
      columns.push(new Column(String.UTF8.decodeUnsafe(at, fieldEnd - at).trim()));
    } else if (index < columns.length) {
      addField(at, fieldEnd, columns[index]);
    }
    index++;
    at = fieldEnd;
    if (at < end && load<u8>(at) == COMMA) {
      at++;
      continue;
    }
    while (at < end && (load<u8>(at) == RETURN || load<u8>(at) == NEWLINE)) at++;
    isHeader = false;
    index = 0;
  }
}

/** Where the field at `at` ends: at a comma or line end outside of quotes, or at `end`. */
function findFieldEnd(at: usize, end: usize): usize {
  let quoted = false;
  for (; at < end; at++) {
    const byte = load<u8>(at);
    if (byte == QUOTE) quoted = !quoted;
    if (!quoted && (byte == COMMA || byte == NEWLINE || byte == RETURN)) break;
  }
  return at;
}

function addField(start: usize, end: usize, column: Column): void {
  while (start < end && isPadding(load<u8>(start))) start++;
  while (start < end && isPadding(load<u8>(end - 1))) end--;
  if (end - start > <usize>NUMBER_BYTES_MAX || !isDecimal(start, end)) return;
  const value = parseDecimal(start, <i32>(end - start));
  column.count++;
  column.sum += value;
  column.min = min(column.min, value);
  column.max = max(column.max, value);
}

/** The value of a checked number; the rest of the text is filled with spaces, at which parsing stops. */
function parseDecimal(start: usize, length: i32): f64 {
  const text = changetype<usize>(numberText);
  for (let index = 0; index < NUMBER_BYTES_MAX; index++) {
    const character: u16 = index < length ? load<u8>(start + <usize>index) : 0x20;
    store<u16>(text + (<usize>index << 1), character);
  }
  return F64.parseFloat(numberText);
}

function isPadding(byte: u8): bool {
  return byte == 0x20 || byte == 0x09 || byte == QUOTE;
}

/** True for an optional sign, digits with at most one point, and an optional exponent. */
function isDecimal(at: usize, end: usize): bool {
  if (at < end && isSign(load<u8>(at))) at++;
  let digits = 0;
  let points = 0;
  for (; at < end; at++) {
    const byte = load<u8>(at);
    if (isDigit(byte)) digits++;
    else if (byte == 0x2e) points++;
    else break;
  }
  if (digits == 0 || points > 1) return false;
  if (at == end) return true;
  if ((load<u8>(at) | 0x20) != 0x65) return false;
  at++;
  if (at < end && isSign(load<u8>(at))) at++;
  if (at == end) return false;
  for (; at < end; at++) {
    if (!isDigit(load<u8>(at))) return false;
  }
  return true;
}

function isDigit(byte: u8): bool {
  return byte >= 0x30 && byte <= 0x39;
}

function isSign(byte: u8): bool {
  return byte == 0x2b || byte == 0x2d;
}

/** Adds a text to the output, in chunks of the size that the host takes; zero, or the host's negative code. */
function write(text: string): i32 {
  const bytes = Uint8Array.wrap(String.UTF8.encode(text));
  for (let sent = 0; sent < bytes.length;) {
    const length = min(bytes.length - sent, CHUNK_BYTES_MAX - chunkLength);
    memory.copy(chunk + <usize>chunkLength, bytes.dataStart + <usize>sent, <usize>length);
    chunkLength += length;
    sent += length;
    if (chunkLength == CHUNK_BYTES_MAX) {
      const code = flushChunk();
      if (code < 0) return code;
    }
  }
  return 0;
}

function flushChunk(): i32 {
  if (chunkLength == 0) return 0;
  const code = emitChunk(chunk, chunkLength);
  chunkLength = 0;
  return code;
}
