import assert from "node:assert/strict";
import { GuestLog } from "../../../runtime/cell/guest_log.ts";
import { DEFAULT_LIMITS } from "../../../runtime/model/limits.ts";
import type { Limits } from "../../../runtime/model/limits.ts";
import type { CellLogLine } from "../../../runtime/wire/messages.ts";

const CALL = 7;

function logOf(limits: Partial<Limits> = {}): { log: GuestLog; lines: CellLogLine[] } {
  const lines: CellLogLine[] = [];
  const log = new GuestLog(CALL, { ...DEFAULT_LIMITS, ...limits }, (bytes) => {
    const text = new TextDecoder().decode(bytes);
    assert.ok(text.endsWith("\n"), "whole lines only");
    for (const line of text.trimEnd().split("\n")) lines.push(JSON.parse(line));
  });
  return { log, lines };
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function texts(lines: readonly CellLogLine[]): string[] {
  return lines.map((line) => line.text);
}

Deno.test("GuestLog.write() splits lines wherever writes are cut", () => {
  const { log, lines } = logOf();
  for (const piece of ["a", "b\nc", "\n", "\nd"]) log.write("stdout", "info", bytes(piece));
  assert.deepEqual(texts(lines), ["ab", "c"]);
  assert.equal(log.finish(), 3);
  assert.deepEqual(texts(lines), ["ab", "c", "d"]);
});

Deno.test("GuestLog keeps stdout and stderr apart", () => {
  const { log, lines } = logOf();
  log.write("stdout", "info", bytes("out"));
  log.write("stderr", "warn", bytes("err\n"));
  log.finish();
  assert.deepEqual(lines.map(({ source, text }) => [source, text]), [["stderr", "err"], ["stdout", "out"]]);
});

Deno.test("GuestLog joins a character that two writes cut in half", () => {
  const { log, lines } = logOf();
  const euro = bytes("€\n");
  log.write("stdout", "info", euro.subarray(0, 2));
  log.write("stdout", "info", euro.subarray(2));
  assert.deepEqual(texts(lines), ["€"]);
});

Deno.test("GuestLog writes guestLogLinesMax lines and counts the rest in one notice", () => {
  const { log, lines } = logOf({ guestLogLinesMax: 2 });
  log.write("stdout", "info", bytes("1\n2\n3\n4\n"));
  log.write("log", "info", bytes("5"));
  assert.equal(log.finish(), 3);
  assert.deepEqual(texts(lines), ["1", "2", "3 lines suppressed: guestLogLinesMax is 2"]);
});

Deno.test("GuestLog leaves a line of exactly the byte limit whole and cuts a longer one before a character", () => {
  const { log, lines } = logOf({ guestLogLineBytesMax: 16 });
  log.write("stdout", "info", bytes("a".repeat(16) + "\n"));
  log.write("stdout", "info", bytes("a".repeat(15) + "€\n"));
  assert.deepEqual(texts(lines), ["a".repeat(16), "a".repeat(15)]);
});

Deno.test("GuestLog holds no more of an endless line than it can log", () => {
  const { log, lines } = logOf({ guestLogLineBytesMax: 16 });
  for (let write = 0; write < 1000; write++) log.write("stderr", "warn", bytes("x".repeat(1000)));
  log.finish();
  assert.deepEqual(texts(lines), ["x".repeat(16)]);
});

for (
  const [what, data] of [["NUL", [65, 0, 66, 10]], ["bytes that are not UTF-8", [0xff, 0xfe, 10]]] as const
) {
  Deno.test(`GuestLog counts a stream with ${what} instead of logging it`, () => {
    const { log, lines } = logOf();
    log.write("stdout", "info", new Uint8Array(data));
    log.write("stdout", "info", bytes("text after it\n"));
    log.finish();
    assert.deepEqual(texts(lines), [`stdout is not text: ${data.length + 14} bytes not logged`]);
  });
}

Deno.test("GuestLog cuts a line of 1 MiB, in one write or in many, and takes nothing else from it", () => {
  for (const writeBytes of [1 << 20, 1000]) {
    const { log, lines } = logOf();
    const line = bytes(`${"x".repeat((1 << 20) - 1)}\n`);
    for (let at = 0; at < line.length; at += writeBytes) {
      log.write("stdout", "info", line.subarray(at, at + writeBytes));
    }
    log.write("stdout", "info", bytes("after\n"));
    assert.deepEqual(texts(lines), ["x".repeat(DEFAULT_LIMITS.guestLogLineBytesMax), "after"]);
  }
});

Deno.test("GuestLog takes a line of nothing but parts of characters for what it is, however long", () => {
  for (const length of [15, 16, 17, 20, 5000]) {
    const { log, lines } = logOf({ guestLogLineBytesMax: 16 });
    log.write("stdout", "info", new Uint8Array(length).fill(0x80));
    log.write("stdout", "info", bytes("\n"));
    log.finish();
    assert.deepEqual(texts(lines), [`stdout is not text: ${length + 1} bytes not logged`]);
  }
});

Deno.test("GuestLog counts millions of lines at once, empty ones as none, wherever writes are cut", () => {
  for (const [pattern, perPattern] of [["\n", 0], ["x\n", 1], ["\n\nxy\n", 1]] as const) {
    const all = bytes(pattern.repeat(3_000_000));
    for (const cut of [all.length, 1_000_001]) {
      const { log, lines } = logOf({ guestLogLinesMax: 2 });
      for (let at = 0; at < all.length; at += cut) log.write("stderr", "warn", all.subarray(at, at + cut));
      log.write("stderr", "warn", bytes("the last"));
      log.finish();
      const suppressed = 3_000_000 * perPattern - 2 + 1;
      const notice = `${suppressed} lines suppressed: guestLogLinesMax is 2`;
      assert.deepEqual(texts(lines).slice(-1), [perPattern === 0 ? "the last" : notice], pattern);
      assert.equal(lines.length, perPattern === 0 ? 1 : 3);
    }
  }
});

Deno.test("GuestLog keeps no view of the guest's memory", () => {
  const { log, lines } = logOf();
  const memory = bytes("half");
  log.write("stdout", "info", memory);
  memory.fill(0x21);
  log.write("stdout", "info", bytes(" and half\n"));
  assert.deepEqual(texts(lines), ["half and half"]);
});

Deno.test("GuestLog makes one line of every character that some reader takes for the end of one", () => {
  const { log, lines } = logOf();
  const text = "a\rb\u0085c\u2028d\u2029e\u000bf\u000cg";
  log.write("stdout", "info", bytes(`${text}\n`));
  log.write("log", "info", bytes(`${text}\n\u0000`));
  assert.deepEqual(texts(lines), [text, `${text}\n\u0000`]);
});

Deno.test("GuestLog.finish() of a call that printed nothing is 0", () => {
  assert.equal(logOf().log.finish(), 0);
});
