import assert from "node:assert/strict";
import fc from "fast-check";
import { Outbox } from "../../../../runtime/gateway/stream/outbox.ts";
import { chargeOf, SendWindow } from "../../../../runtime/model/stream_window.ts";

function anOutbox(windowBytes: number): {
  outbox: Outbox;
  held: () => number;
  arrived: () => number;
  credits: number[];
} {
  let held = 0;
  let arrived = 0;
  const credits: number[] = [];
  const outbox = new Outbox(windowBytes, {
    arrived: (bytes) => void (arrived += bytes),
    held: (difference) => void (held += difference),
  });
  outbox.open((bytes) => credits.push(bytes));
  return { outbox, held: () => held, arrived: () => arrived, credits };
}

function aChunk(length: number, value = 0): Uint8Array<ArrayBuffer> {
  return new Uint8Array(length).fill(value);
}

Deno.test("Outbox refuses a chunk that there is no room for", () => {
  const { outbox } = anOutbox(2 * chargeOf(10));
  assert.equal(outbox.take(aChunk(10), undefined), true);
  assert.equal(outbox.take(aChunk(10), undefined), true);
  assert.equal(outbox.take(aChunk(0), undefined), false);
});

Deno.test("Outbox begins with its first chunk, and has the content type from that", async () => {
  const { outbox } = anOutbox(10_000);
  assert.equal(outbox.hasBegun, false);
  outbox.take(aChunk(0), "text/plain");
  outbox.take(aChunk(1), "text/html");
  await outbox.begun;
  assert.equal(outbox.contentType, "text/plain");
  assert.deepEqual([outbox.chunks, outbox.bytes], [2, 1]);
});

Deno.test("Outbox.read() takes whole chunks up to a size, and one in any case", () => {
  const { outbox } = anOutbox(10_000);
  for (const length of [3, 4, 500, 1]) outbox.take(aChunk(length), undefined);
  assert.deepEqual(outbox.read(10).map(({ length }) => length), [3, 4]);
  assert.deepEqual(outbox.read(10).map(({ length }) => length), [500]);
  assert.deepEqual(outbox.read(10).map(({ length }) => length), [1]);
  assert.deepEqual(outbox.read(10), []);
});

Deno.test("Outbox.readable() waits for a chunk, the end, or that nobody reads any more", async () => {
  const wakers: ((outbox: Outbox) => void)[] = [
    (outbox) => outbox.take(aChunk(1), undefined),
    (outbox) => outbox.end(),
    (outbox) => outbox.discard(),
  ];
  for (const wake of wakers) {
    const { outbox } = anOutbox(10_000);
    let woken = false;
    const readable = outbox.readable().then(() => woken = true);
    await Promise.resolve();
    assert.equal(woken, false);
    wake(outbox);
    await readable;
    assert.equal(outbox.isReadable, true);
  }
});

Deno.test("Outbox.discard() drops what is there and what still comes, and gives no room back", () => {
  const { outbox, held, arrived, credits } = anOutbox(4 * chargeOf(100));
  outbox.take(aChunk(100), undefined);
  outbox.discard();
  assert.equal(held(), 0);
  assert.equal(outbox.take(aChunk(100), undefined), true);
  assert.deepEqual([held(), arrived()], [0, 200]);
  assert.deepEqual(outbox.read(1000), []);
  assert.deepEqual(credits, []);
});

Deno.test("for any chunks and reads: every byte once, in order, and never more than the window is held", () => {
  const chunkBytesMax = 100;
  const windowBytes = 3 * chargeOf(chunkBytesMax);
  fc.assert(fc.property(
    fc.array(fc.integer({ min: 0, max: chunkBytesMax }), { maxLength: 100 }),
    fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 300 })), { maxLength: 400 }),
    (lengths, moves) => {
      const { outbox, held } = anOutbox(windowBytes);
      const sender = new SendWindow(windowBytes);
      outbox.open((bytes) => sender.credit(bytes));
      const written: number[] = [];
      const read: number[] = [];
      let next = 0;
      const send = (): boolean => {
        const length = lengths[next];
        if (length === undefined || !sender.tryTake(length)) return false;
        const chunk = aChunk(length, next++ % 251);
        assert.equal(outbox.take(chunk, undefined), true);
        written.push(...chunk);
        return true;
      };
      const receive = (bytesMax: number): boolean => {
        const chunks = outbox.read(bytesMax);
        for (const chunk of chunks) read.push(...chunk);
        return chunks.length > 0;
      };
      for (const move of moves) {
        if (move === 0) send();
        else receive(move);
        assert.ok(held() <= windowBytes);
        assert.equal(held(), written.length - read.length);
      }
      while (send() || receive(50));
      assert.equal(next, lengths.length);
      assert.deepEqual(read, written);
    },
  ));
});
