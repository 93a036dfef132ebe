import assert from "node:assert/strict";
import { LineBuffer, type WriteBytes } from "../../telemetry/line_buffer.ts";

const NO_LEAKS = { sanitizeOps: true, sanitizeResources: true } as const;

/** An output that collects what it takes; `take` says how much of each write, or throws. */
class Output {
  text = "";
  writes = 0;
  take: (length: number) => number = (length) => length;

  readonly write: WriteBytes = (bytes) => {
    this.writes += 1;
    const taken = this.take(bytes.length);
    this.text += new TextDecoder().decode(bytes.subarray(0, taken));
    return taken;
  };
}

Deno.test("LineBuffer.flush() writes what waits, in one piece", NO_LEAKS, () => {
  const output = new Output();
  const buffer = new LineBuffer(output.write);
  buffer.push("a");
  buffer.push("b");
  assert.equal(output.writes, 0);
  buffer.flush();
  assert.equal(output.text, "a\nb\n");
  assert.equal(output.writes, 1);
});

Deno.test("LineBuffer.flush() of nothing writes nothing", NO_LEAKS, () => {
  const output = new Output();
  new LineBuffer(output.write).flush();
  assert.equal(output.writes, 0);
});

Deno.test("LineBuffer writes by itself at 64 KiB, not one character before", NO_LEAKS, () => {
  const output = new Output();
  const buffer = new LineBuffer(output.write);
  buffer.push("x".repeat(64 * 1024 - 2));
  assert.equal(output.writes, 0);
  buffer.push("");
  assert.equal(output.writes, 1);
});

Deno.test("LineBuffer writes by itself after a while", NO_LEAKS, async () => {
  const written = Promise.withResolvers<void>();
  const buffer = new LineBuffer(() => written.resolve());
  const startMs = performance.now();
  buffer.push("a");
  await written.promise;
  const tookMs = performance.now() - startMs;
  assert.ok(tookMs >= 40 && tookMs < 2000, `took ${tookMs} ms`);
});

Deno.test("LineBuffer goes on where an output stopped in the middle of a line", NO_LEAKS, () => {
  const output = new Output();
  output.take = (length) => Math.min(length, 3);
  const buffer = new LineBuffer(output.write);
  buffer.push("abcdef");
  buffer.push("ghi");
  buffer.flush();
  assert.equal(output.text, "abcdef\nghi\n");
});

Deno.test("LineBuffer keeps what an output that throws did not take, and keeps the order", NO_LEAKS, () => {
  const output = new Output();
  const buffer = new LineBuffer(output.write);
  let writes = 0;
  output.take = (): number => {
    writes += 1;
    if (writes === 1) return 2;
    throw new Error("EAGAIN");
  };
  buffer.push("abc");
  buffer.flush();
  buffer.push("def");
  output.take = (length) => length;
  buffer.flush();
  assert.equal(output.text, "abc\ndef\n");
  assert.equal(buffer.droppedCount, 0);
});

Deno.test("LineBuffer drops whole lines and counts them when an output takes nothing", NO_LEAKS, () => {
  const output = new Output();
  output.take = () => 0;
  const buffer = new LineBuffer(output.write);
  const line = "x".repeat(64 * 1024);
  for (let count = 0; count < 80; count++) buffer.push(`${count} ${line}`);
  assert.ok(buffer.droppedCount > 0);
  const dropped = buffer.takeDroppedCount();
  assert.equal(buffer.droppedCount, 0);
  output.take = (length) => length;
  buffer.flush();
  const lines = output.text.split("\n").slice(0, -1);
  assert.equal(lines.length + dropped, 80);
  assert.ok(lines.every((text, index) => text === `${index} ${line}`));
});
