import assert from "node:assert/strict";
import fc from "fast-check";
import { BufferPool } from "../../../telemetry/export/buffer_pool.ts";

const KIB = 1024;

Deno.test("BufferPool hands out what was given back, at the length that is asked for", () => {
  const pool = new BufferPool();
  const first = pool.take(100 * KIB);
  assert.equal(first.length, 100 * KIB);
  pool.give(first.buffer);
  const second = pool.take(120 * KIB);
  assert.equal(second.buffer, first.buffer);
  assert.equal(second.length, 120 * KIB);
  assert.notEqual(pool.take(1).buffer, first.buffer);
});

Deno.test("BufferPool passes over buffers that are too small, and keeps no tiny ones", () => {
  const pool = new BufferPool();
  const small = pool.take(1);
  pool.give(small.buffer);
  assert.notEqual(pool.take(200 * KIB).buffer, small.buffer);
  assert.equal(pool.take(64 * KIB).buffer, small.buffer);
  pool.give(new ArrayBuffer(10));
  assert.equal(pool.bytes, 0);
});

Deno.test("BufferPool keeps at most 8 MiB, the last used", () => {
  const pool = new BufferPool();
  const buffers = Array.from({ length: 20 }, () => new ArrayBuffer(1024 * KIB));
  for (const buffer of buffers) pool.give(buffer);
  assert.equal(pool.bytes, 8 * 1024 * KIB);
  assert.equal(pool.take(1).buffer, buffers.at(-1));
  pool.give(new ArrayBuffer(9 * 1024 * KIB));
  assert.equal(pool.bytes, 7 * 1024 * KIB);
});

Deno.test("BufferPool never has a buffer twice, whatever is taken and given", () => {
  fc.assert(fc.property(fc.array(fc.integer({ min: 0, max: 600 * KIB }), { maxLength: 60 }), (steps) => {
    const pool = new BufferPool();
    const held: ArrayBuffer[] = [];
    for (const step of steps) {
      const last = step % 3 === 0 ? held.pop() : undefined;
      if (last !== undefined) pool.give(last);
      else {
        const taken = pool.take(step);
        assert.equal(taken.length, step);
        assert.ok(!held.includes(taken.buffer));
        held.push(taken.buffer);
      }
      assert.ok(pool.bytes <= 8 * 1024 * KIB);
    }
  }));
});
