import assert from "node:assert/strict";
import fc from "fast-check";
import { ERRNO, WasiRefusal } from "../../../../../runtime/cell/imports/wasi/errno.ts";
import { FileContents, FileQuota } from "../../../../../runtime/cell/imports/wasi/file_contents.ts";
import type { GuestBuffers } from "../../../../../runtime/cell/imports/wasi/guest_memory.ts";

function buffers(...parts: Uint8Array[]): GuestBuffers {
  return { parts, totalBytes: parts.reduce((sum, part) => sum + part.length, 0) };
}

function contentsOf(file: FileContents): Uint8Array {
  const all = new Uint8Array(file.size);
  assert.equal(file.read(buffers(all), 0), file.size);
  return all;
}

function refuses(action: () => void, errno: number): void {
  assert.throws(action, (error) => error instanceof WasiRefusal && error.errno === errno);
}

Deno.test("FileQuota.charge() takes the last byte and refuses one more", () => {
  const quota = new FileQuota(10);
  quota.charge(10);
  refuses(() => quota.charge(1), ERRNO.nospc);
  assert.equal(quota.freeBytes, 0);
});

Deno.test("FileContents.write() fills the quota and refuses one byte more, changing nothing", () => {
  const quota = new FileQuota(300);
  const file = new FileContents(quota);
  file.write(buffers(new Uint8Array(299)), 0);
  refuses(() => file.write(buffers(new Uint8Array(2)), 299), ERRNO.nospc);
  assert.equal(file.size, 299);
  file.write(buffers(new Uint8Array(1)), 299);
  assert.equal(quota.freeBytes, 0);
});

Deno.test("FileContents.write() far behind the end is refused before anything is allocated", () => {
  const file = new FileContents(new FileQuota(1000));
  for (const offset of [1000, 2 ** 40, 2 ** 53, 2 ** 64]) {
    refuses(() => file.write(buffers(new Uint8Array(1)), offset), ERRNO.nospc);
  }
  assert.equal(file.size, 0);
});

Deno.test("FileContents.resize() refuses sizes that no machine has", () => {
  const quota = new FileQuota(1000);
  const file = new FileContents(quota);
  for (const size of [1001, 2 ** 50, 2 ** 64]) refuses(() => file.resize(size), ERRNO.nospc);
  assert.equal(quota.freeBytes, 1000);
});

Deno.test("FileContents.resize() that the engine cannot allocate is nospc and refunded", () => {
  const quota = new FileQuota(2 ** 53);
  const file = new FileContents(quota);
  refuses(() => file.resize(2 ** 52), ERRNO.nospc);
  assert.equal(quota.freeBytes, 2 ** 53);
  assert.equal(file.size, 0);
});

Deno.test("FileContents.resize() gives bytes back to the other files", () => {
  const quota = new FileQuota(1000);
  const first = new FileContents(quota);
  const second = new FileContents(quota);
  first.resize(1000);
  refuses(() => second.resize(1), ERRNO.nospc);
  first.resize(0);
  second.resize(1000);
  assert.equal(second.size, 1000);
});

Deno.test("FileContents.write() spreads over buffers and leaves a hole of zeros", () => {
  const file = new FileContents(new FileQuota(1000));
  file.write(buffers(Uint8Array.of(1, 2), Uint8Array.of(3)), 2);
  assert.deepEqual(contentsOf(file), Uint8Array.of(0, 0, 1, 2, 3));
});

Deno.test("FileContents: what was cut off never comes back", () => {
  const file = new FileContents(new FileQuota(10_000));
  for (const size of [100, 5000]) {
    file.write(buffers(new Uint8Array(size).fill(7)), 0);
    file.resize(1);
    file.resize(size);
    assert.equal(contentsOf(file).filter((byte) => byte === 7).length, 1);
  }
});

Deno.test("FileContents behaves like a plain array of bytes under random operations", () => {
  const operation = fc.oneof(
    fc.record({
      type: fc.constant("write"),
      at: fc.nat(1500),
      bytes: fc.uint8Array({ minLength: 1, maxLength: 400 }),
    }),
    fc.record({ type: fc.constant("resize"), at: fc.nat(2500), bytes: fc.constant(new Uint8Array(0)) }),
  );
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 40 }), (operations) => {
      const quota = new FileQuota(2000);
      const file = new FileContents(quota);
      let model = new Uint8Array(0);
      for (const { type, at, bytes } of operations) {
        const size = type === "resize" ? at : Math.max(model.length, at + bytes.length);
        const change = (): void => type === "resize" ? file.resize(at) : file.write(buffers(bytes), at);
        if (size > 2000) {
          refuses(change, ERRNO.nospc);
          continue;
        }
        change();
        const next = new Uint8Array(size);
        next.set(model.subarray(0, size));
        if (type === "write") next.set(bytes, at);
        model = next;
        assert.deepEqual(contentsOf(file), model);
        assert.equal(quota.freeBytes, 2000 - model.length);
      }
    }),
    { seed: 20_261, numRuns: 200 },
  );
});
