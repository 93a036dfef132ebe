/**
 * DeviceMemory: the allocator against a model of it.
 */
import assert from "node:assert/strict";
import { DeviceMemory } from "../../../gpu/cpu/memory.ts";
import { GpuError } from "../../../gpu/gpu_error.ts";
import { DEVICE_BASE } from "../../../gpu/ptx/kernel_interface.ts";
import { Random } from "../ptx/generate/random.ts";

const MIB = 2 ** 20;

interface Piece {
  readonly offset: number;
  readonly byteLength: number;
  readonly mark: number;
}

function rounded(byteLength: number): number {
  return Math.ceil(byteLength / 256) * 256;
}

Deno.test("allocations do not overlap, are aligned and zero, keep what is written, and are reused", () => {
  for (let seed = 0; seed < 12; seed++) {
    const random = new Random(seed);
    const memory = new DeviceMemory(4 * MIB, seed % 2 === 1);
    let pieces: Piece[] = [];
    for (let step = 0; step < 150; step++) {
      if (pieces.length > 0 && random.percent(45)) {
        const gone = random.pick(pieces);
        const bytes = memory.bytes.subarray(gone.offset, gone.offset + gone.byteLength);
        assert.ok(bytes.every((byte) => byte === gone.mark), `seed ${seed}, step ${step}`);
        assert.equal(memory.release(gone.offset), true);
        pieces = pieces.filter((piece) => piece !== gone);
        continue;
      }
      const byteLength = random.percent(20) ? random.between(1, 100_000) : random.between(1, 3000);
      const offset = memory.allocate(byteLength, true);
      const piece = { offset, byteLength, mark: random.between(1, 255) };
      assert.equal(offset % 256, 0);
      const overlapping = pieces.find((other) =>
        offset < other.offset + rounded(other.byteLength) && other.offset < offset + rounded(byteLength)
      );
      assert.equal(overlapping, undefined, `seed ${seed}, step ${step}`);
      const bytes = memory.bytes.subarray(offset, offset + byteLength);
      assert.equal(bytes.length, byteLength);
      assert.ok(bytes.every((byte) => byte === 0), `seed ${seed}, step ${step}: not zero`);
      bytes.fill(piece.mark);
      pieces.push(piece);
    }
    assert.equal(memory.usedBytes, pieces.reduce((sum, { byteLength }) => sum + rounded(byteLength), 0));
    for (const { offset } of pieces) memory.release(offset);
    assert.equal(memory.usedBytes, 0);
    // All of it is one piece again.
    const before = memory.byteLength;
    memory.allocate(before - 256, true);
    assert.ok(memory.byteLength <= before + 65_536, `seed ${seed}`);
  }
});

Deno.test("memory grows by what is asked for, and no further than its limit", () => {
  const memory = new DeviceMemory(MIB, false);
  assert.equal(memory.byteLength, 65_536);
  memory.allocate(300_000, false);
  assert.equal(memory.byteLength, 5 * 65_536);
  assert.throws(
    () => memory.allocate(MIB, false),
    (error) =>
      error instanceof GpuError && error.statusName === "CUDA_ERROR_OUT_OF_MEMORY" &&
      /is 1048576, 300032 in use, 1048576 wanted/.test(error.message),
  );
  // What was refused took nothing.
  assert.equal(memory.usedBytes, 300_032);
  memory.allocate(MIB - 300_032, false);
  assert.equal(memory.byteLength, MIB);
});

Deno.test("the view of memory is the one after it has grown", () => {
  for (const isShared of [false, true]) {
    const memory = new DeviceMemory(MIB, isShared);
    const offset = memory.allocate(16, true);
    memory.bytes[offset] = 9;
    memory.allocate(200_000, true);
    assert.deepEqual([memory.bytes.length, memory.bytes[offset]], [memory.byteLength, 9]);
  }
});

Deno.test("the last free piece is extended, and is zero", () => {
  const memory = new DeviceMemory(MIB, false);
  const first = memory.allocate(256, true);
  const last = memory.allocate(1024, true);
  memory.bytes.fill(7, last, last + 1024);
  memory.release(last);
  const larger = memory.allocate(100_000, true);
  assert.deepEqual([first, larger], [0, last]);
  assert.ok(memory.bytes.subarray(larger, larger + 100_000).every((byte) => byte === 0));
});

Deno.test("release() of a place where nothing was allocated answers false", () => {
  const memory = new DeviceMemory(MIB, false);
  const offset = memory.allocate(1000, false);
  assert.deepEqual([memory.release(offset + 256), memory.release(offset), memory.release(offset)], [
    false,
    true,
    false,
  ]);
});

Deno.test("range() gives a range that is inside, and refuses any other", () => {
  const memory = new DeviceMemory(MIB, false);
  assert.equal(memory.range("copy", DEVICE_BASE, 65_536).length, 65_536);
  assert.equal(memory.range("copy", DEVICE_BASE + 65_536n, 0).length, 0);
  for (
    const [pointer, byteLength] of [
      [DEVICE_BASE - 1n, 1],
      [DEVICE_BASE, 65_537],
      [DEVICE_BASE + 65_536n, 1],
      [0n, 1],
      [-1n, 1],
      [2n ** 64n - 1n, 1],
    ] as const
  ) {
    assert.throws(
      () => memory.range("copy", pointer, byteLength),
      (error) => error instanceof GpuError && error.statusName === "CUDA_ERROR_INVALID_VALUE",
      `${pointer}`,
    );
  }
});
