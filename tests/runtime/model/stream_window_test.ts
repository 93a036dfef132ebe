import assert from "node:assert/strict";
import fc from "fast-check";
import {
  chargeOf,
  CHUNK_OVERHEAD_BYTES,
  ReceiveWindow,
  SendWindow,
  windowBytesFor,
} from "../../../runtime/model/stream_window.ts";

Deno.test("windowBytesFor() is as configured, or twice the charge of the largest chunk", () => {
  assert.equal(windowBytesFor(262_144, 65_536), 262_144);
  assert.equal(windowBytesFor(1, 65_536), 2 * (65_536 + CHUNK_OVERHEAD_BYTES));
});

Deno.test("SendWindow takes chunks up to its size, and more when room is given", async () => {
  const window = new SendWindow(2 * chargeOf(100));
  assert.equal(window.tryTake(100), true);
  assert.equal(window.tryTake(100), true);
  assert.equal(window.tryTake(0), false);
  let hasRoom = false;
  const room = window.room(100).then(() => hasRoom = true);
  window.credit(chargeOf(99));
  await Promise.resolve();
  assert.equal(hasRoom, false);
  window.credit(1);
  await room;
  assert.equal(window.tryTake(100), true);
});

Deno.test("SendWindow.room() resolves at once where there is room", async () => {
  await new SendWindow(chargeOf(8)).room(8);
});

Deno.test("ReceiveWindow refuses what the sender had no room for", () => {
  const window = new ReceiveWindow(chargeOf(100));
  assert.equal(window.take(100), true);
  assert.equal(window.take(0), false);
});

Deno.test("ReceiveWindow gives room back in quarters of the window", () => {
  const window = new ReceiveWindow(8 * chargeOf(44));
  for (let index = 0; index < 4; index++) window.take(44);
  assert.equal(window.consume(44), 0);
  assert.equal(window.consume(44), 2 * chargeOf(44));
  assert.equal(window.consume(44), 0);
});

Deno.test("empty chunks are charged, so that their number is bounded as well", () => {
  const window = new SendWindow(1024);
  let count = 0;
  while (window.tryTake(0)) count++;
  assert.equal(count, 1024 / CHUNK_OVERHEAD_BYTES);
});

/** A step of either end, drawn by the test: the sender offers, the wire delivers, the reader reads. */
type Step = "offer" | "deliver" | "read" | "credit";

Deno.test("for any chunks and any speeds: nothing is lost, the bound holds, nobody waits for ever", () => {
  const chunkBytesMax = 300;
  fc.assert(fc.property(
    fc.array(fc.integer({ min: 0, max: chunkBytesMax }), { maxLength: 200 }),
    fc.integer({ min: 1, max: 4000 }),
    fc.array(fc.constantFrom<Step>("offer", "deliver", "read", "credit"), { maxLength: 2000 }),
    (chunks, configured, steps) => {
      const windowBytes = windowBytesFor(configured, chunkBytesMax);
      const sender = new SendWindow(windowBytes);
      const receiver = new ReceiveWindow(windowBytes);
      const toSend = chunks.map((bytes, index) => ({ index, bytes }));
      const onWire: typeof toSend = [];
      const held: typeof toSend = [];
      const credits: number[] = [];
      const read: number[] = [];
      const act: Record<Step, () => boolean> = {
        offer: () => {
          const [next] = toSend;
          if (next === undefined || !sender.tryTake(next.bytes)) return false;
          onWire.push(next);
          toSend.shift();
          return true;
        },
        deliver: () => {
          const chunk = onWire.shift();
          if (chunk === undefined) return false;
          assert.ok(receiver.take(chunk.bytes), "more came than the window has room for");
          held.push(chunk);
          return true;
        },
        read: () => {
          const chunk = held.shift();
          if (chunk === undefined) return false;
          read.push(chunk.index);
          const credit = receiver.consume(chunk.bytes);
          if (credit > 0) credits.push(credit);
          return true;
        },
        credit: () => {
          const credit = credits.shift();
          if (credit === undefined) return false;
          sender.credit(credit);
          return true;
        },
      };
      const check = (): void => {
        const charge = held.reduce((sum, { bytes }) => sum + chargeOf(bytes), 0);
        assert.equal(receiver.heldBytes, charge);
        assert.ok(charge <= windowBytes);
      };
      for (const step of steps) {
        act[step]();
        check();
      }
      // From here on everybody does what they can: it all arrives.
      while (act.offer() || act.deliver() || act.read() || act.credit()) check();
      assert.deepEqual(read, chunks.map((_, index) => index));
    },
  ));
});
