import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { LineBuffer, type WriteBytes } from "../../../telemetry/log/line_buffer.ts";

const NO_LEAKS = { sanitizeOps: true, sanitizeResources: true } as const;

/** An output that collects what it takes; `take` says how much of each write, or throws. */
class Output {
  text = "";
  writes = 0;
  readonly #all: number[] = [];
  take: (length: number) => number = (length) => length;

  readonly write: WriteBytes = (bytes) => {
    this.writes += 1;
    const taken = this.take(bytes.length);
    this.#all.push(...bytes.subarray(0, taken));
    this.text += new TextDecoder().decode(bytes.subarray(0, taken));
    return taken;
  };

  /** Everything that was taken, decoded at once. */
  bytes(): string {
    return new TextDecoder().decode(new Uint8Array(this.#all));
  }
}

Deno.test("LineBuffer.flush() writes what waits, in one piece", NO_LEAKS, () => {
  const output = new Output();
  const buffer = new LineBuffer(output);
  buffer.push("a");
  buffer.push("b");
  assert.equal(output.writes, 0);
  buffer.flush();
  assert.equal(output.text, "a\nb\n");
  assert.equal(output.writes, 1);
});

Deno.test("LineBuffer.flush() of nothing writes nothing", NO_LEAKS, () => {
  const output = new Output();
  new LineBuffer(output).flush();
  assert.equal(output.writes, 0);
});

Deno.test("LineBuffer writes by itself at 64 KiB, not one character before", NO_LEAKS, () => {
  const output = new Output();
  const buffer = new LineBuffer(output);
  buffer.push("x".repeat(64 * 1024 - 2));
  assert.equal(output.writes, 0);
  buffer.push("");
  assert.equal(output.writes, 1);
});

Deno.test("LineBuffer writes by itself after a while", NO_LEAKS, async () => {
  const written = Promise.withResolvers<void>();
  const buffer = new LineBuffer({ write: () => written.resolve() });
  const startMs = performance.now();
  buffer.push("a");
  await written.promise;
  const tookMs = performance.now() - startMs;
  assert.ok(tookMs >= 40, `took ${tookMs} ms`);
});

Deno.test("LineBuffer goes on where an output stopped in the middle of a line", NO_LEAKS, () => {
  const output = new Output();
  output.take = (length) => Math.min(length, 3);
  const buffer = new LineBuffer(output);
  buffer.push("abcdef");
  buffer.push("ghi");
  buffer.flush();
  assert.equal(output.text, "abcdef\nghi\n");
});

Deno.test("LineBuffer keeps what an output that throws did not take, and keeps the order", NO_LEAKS, () => {
  const output = new Output();
  const buffer = new LineBuffer(output);
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
  let told = 0;
  const buffer = new LineBuffer(output, (count) => told += count);
  const line = "x".repeat(64 * 1024);
  for (let count = 0; count < 150; count++) buffer.push(`${count} ${line}`);
  assert.ok(buffer.droppedCount > 0);
  assert.equal(buffer.hasRoom, false);
  const dropped = buffer.takeDroppedCount();
  assert.equal(told, dropped);
  assert.equal(buffer.droppedCount, 0);
  output.take = (length) => length;
  buffer.flush();
  const lines = output.text.split("\n").slice(0, -1);
  assert.equal(lines.length + dropped, 150);
  assert.ok(lines.every((text, index) => text === `${index} ${line}`));
});

Deno.test("LineBuffer offers again by itself what an output did not take", NO_LEAKS, async () => {
  const output = new Output();
  output.take = (): number => 0;
  const buffer = new LineBuffer(output);
  buffer.push("a");
  buffer.flush();
  const written = Promise.withResolvers<void>();
  output.take = (length) => {
    written.resolve();
    return length;
  };
  await written.promise;
  buffer.flush();
  assert.equal(output.text, "a\n");
});

Deno.test("LineBuffer.settle() waits for an output that takes over in pieces", NO_LEAKS, () => {
  const output = new Output();
  let waits = 0;
  output.take = (): number => 0;
  const settle = (): void => {
    waits += 1;
    if (waits === 3) output.take = (length) => length;
  };
  const buffer = new LineBuffer({ write: output.write, settle });
  buffer.push("a");
  buffer.settle(60_000);
  assert.equal(output.text, "a\n");
  assert.equal(waits, 4, "thrice for room, once until all is out");
});

Deno.test("LineBuffer.close() leaves no timer and writes later lines at once", NO_LEAKS, () => {
  const output = new Output();
  output.take = (): number => 0;
  const buffer = new LineBuffer(output);
  buffer.push("a");
  buffer.close(1);
  buffer.push("b");
  output.take = (length) => length;
  buffer.push("c");
  assert.equal(output.text, "a\nb\nc\n");
});

Deno.test("LineBuffer never tears a line, whatever the output takes", NO_LEAKS, () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.string({ maxLength: 20 }), fc.integer({ min: -1, max: 15 }), fc.boolean()), {
        maxLength: 30,
      }),
      (steps) => {
        const output = new Output();
        const buffer = new LineBuffer(output);
        const pushed: string[] = [];
        for (const [text, take, flush] of steps) {
          const line = text.replaceAll("\n", " ");
          output.take = (length): number => {
            if (take < 0) throw new Error("full");
            return Math.min(length, take);
          };
          pushed.push(line);
          buffer.push(line);
          if (flush) buffer.flush();
        }
        output.take = (length) => length;
        buffer.close(0);
        // Output cuts characters of several bytes; none are left out in the end.
        assert.equal(output.bytes(), pushed.map((line) => `${line}\n`).join(""));
      },
    ),
  );
});

Deno.test(
  "LineBuffer counts every line that comes when nobody reads any more, and keeps none",
  NO_LEAKS,
  () => {
    const output = new Output();
    let isGone = false;
    let told = 0;
    const buffer = new LineBuffer({ write: output.write, isGone: () => isGone }, (count) => told += count);
    buffer.push("a");
    buffer.flush();
    output.take = (): number => 0;
    buffer.push("b");
    buffer.flush();
    assert.equal(told, 0, "it may still be taken");
    isGone = true;
    buffer.push("c");
    buffer.close(60_000);
    assert.equal(told, 2);
    assert.equal(buffer.hasRoom, false, "nobody is told of it in a line that is lost as well");
    buffer.push("d");
    assert.equal(told, 3);
    assert.equal(output.text, "a\n");
  },
);

Deno.test("LineBuffer counts what an output had taken and lost, once", NO_LEAKS, () => {
  let [lost, told] = [3, 0];
  const takeLostCount = (): number => {
    const count = lost;
    lost = 0;
    return count;
  };
  const buffer = new LineBuffer({ write: () => {}, takeLostCount }, (count) => told += count);
  buffer.push("a");
  buffer.flush();
  buffer.flush();
  assert.equal(told, 3);
  assert.equal(buffer.takeDroppedCount(), 3);
});

Deno.test(
  "LineBuffer writes every line or counts it, whatever the output does, and keeps the order",
  NO_LEAKS,
  () => {
    const step = fc.record({
      // Two hundred of the longest are over the bound on what waits.
      length: fc.constantFrom(0, 1, 70, 5_000, 200_000),
      text: fc.constantFrom("x", "é", "€", "😀", "\ud800"),
      take: fc.constantFrom(-1, 0, 7_919, 65_536, Infinity, Infinity),
      flush: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), fc.nat({ max: 60 }), (steps, floodCount) => {
        const pieces: Uint8Array[] = [];
        let take = Infinity;
        let dropped = 0;
        const write: WriteBytes = (bytes) => {
          if (take < 0) throw new Error("full");
          const taken = bytes.slice(0, Math.min(bytes.length, take));
          pieces.push(taken);
          return taken.length;
        };
        const buffer = new LineBuffer({ write }, (count) => dropped += count);
        const lines: string[] = [];
        const push = (line: string): void => {
          lines.push(`${lines.length} ${line}`);
          buffer.push(lines.at(-1) ?? "");
        };
        for (const { length, text, take: taken, flush } of steps) {
          take = taken;
          push(text.repeat(length / text.length));
          if (flush) buffer.flush();
        }
        take = -1;
        for (let count = 0; count < floodCount; count++) push("y".repeat(200_000));
        take = Infinity;
        buffer.close(0);
        const expected = new Map(lines.map((line) => [line.split(" ")[0], line.toWellFormed()]));
        const written = Buffer.concat(pieces).toString().split("\n").slice(0, -1);
        assert.equal(written.length + dropped, lines.length);
        let last = -1;
        for (const line of written) {
          const number = line.split(" ")[0] ?? "";
          assert.equal(line === expected.get(number), true, `line ${number}`);
          assert.ok(Number(number) > last);
          last = Number(number);
        }
      }),
      { numRuns: 40 },
    );
  },
);
