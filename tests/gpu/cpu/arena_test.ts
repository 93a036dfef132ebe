/**
 * Arena: the parts of a launch's memory do not overlap, and the room is kept for the next launch.
 */
import assert from "node:assert/strict";
import { Arena } from "../../../gpu/cpu/arena.ts";
import type { ArenaSizes } from "../../../gpu/cpu/arena.ts";
import { DeviceMemory } from "../../../gpu/cpu/memory.ts";
import { GpuError } from "../../../gpu/gpu_error.ts";
import { RECORD } from "../../../gpu/ptx/launch_record.ts";
import { Random } from "../ptx/generate/random.ts";

const MIB = 2 ** 20;

function write(arena: Arena, sizes: ArenaSizes, params: Uint8Array): number {
  return arena.write({ ...sizes, params, grid: { x: 3, y: 2, z: 1 }, counter: 4096n, chunk: 3, fuel: 77 });
}

Deno.test("the parts of a launch lie behind each other, aligned, inside of what was reserved", () => {
  for (let seed = 0; seed < 40; seed++) {
    const random = new Random(seed);
    const memory = new DeviceMemory(16 * MIB, false);
    memory.allocate(random.between(1, 5000), false);
    const arena = new Arena(memory);
    const sizes = {
      paramBytes: random.below(300),
      sharedBytes: random.below(50_000),
      saveBytes: random.below(100_000),
      localBytes: random.below(100_000),
    };
    const params = new Uint8Array(sizes.paramBytes).fill(seed + 1);
    const record = write(arena, sizes, params);
    const view = new DataView(memory.bytes.buffer);
    const place = (field: number): number => Number(view.getBigInt64(record + field, true));
    const parts = [
      [record, RECORD.bytes],
      [place(RECORD.params), sizes.paramBytes],
      [place(RECORD.sharedBase), sizes.sharedBytes],
      [place(RECORD.saveBase), sizes.saveBytes],
      [place(RECORD.localBase), sizes.localBytes],
    ] as const;
    parts.forEach(([start, byteLength], index) => {
      assert.equal(start % 16, 0, `seed ${seed}`);
      const end = parts[index + 1]?.[0] ?? record + arena.byteLength;
      assert.ok(start + byteLength <= end, `seed ${seed}: part ${index}`);
    });
    assert.deepEqual(memory.bytes.slice(place(RECORD.params), place(RECORD.params) + params.length), params);
    assert.deepEqual(
      [RECORD.gridX, RECORD.gridY, RECORD.gridZ, RECORD.fuelGranted, RECORD.fault].map((field) =>
        view.getInt32(record + field, true)
      ),
      [3, 2, 1, 77, 0],
    );
    assert.deepEqual([place(RECORD.blockCount), place(RECORD.counter), place(RECORD.chunk)], [6, 4096, 3]);
  }
});

Deno.test("room is used again, and made larger only if a launch needs more", () => {
  const memory = new DeviceMemory(MIB, false);
  const arena = new Arena(memory);
  const sizes = { paramBytes: 8, sharedBytes: 100, saveBytes: 1000, localBytes: 0 };
  const first = arena.reserve(sizes);
  const used = memory.usedBytes;
  assert.equal(arena.reserve({ ...sizes, saveBytes: 500 }), first);
  assert.equal(memory.usedBytes, used);
  arena.reserve({ ...sizes, localBytes: 100_000 });
  assert.ok(memory.usedBytes > 100_000 && memory.usedBytes < 110_000);
});

Deno.test("a launch that needs more than there is takes nothing, and the next one works", () => {
  const memory = new DeviceMemory(MIB, false);
  const arena = new Arena(memory);
  const sizes = { paramBytes: 8, sharedBytes: 100, saveBytes: 1000, localBytes: 0 };
  arena.reserve(sizes);
  assert.throws(
    () => arena.reserve({ ...sizes, localBytes: 2 * MIB }),
    (error) => error instanceof GpuError && error.statusName === "CUDA_ERROR_OUT_OF_MEMORY",
  );
  assert.equal(memory.usedBytes, 0);
  arena.reserve(sizes);
});
