/**
 * Shape: how large a generated launch is, and where everything lies in its memory.
 *
 * Owns grid and block, offsets of input, bins, scratch and results in device memory, and of the pieces of shared
 * memory. Invariant: pieces do not overlap, and each starts at a multiple of 16 bytes.
 */
import {
  BIN_BYTES,
  BIN_COPIES,
  GLOBAL_BIN_BYTES,
  INPUT_BYTES,
  OWN_SHARED_BYTES,
  SCRATCH_BYTES,
} from "./memory_templates.ts";
import type { Random } from "./random.ts";

interface Extent {
  readonly x: number;
  readonly y: number;
  readonly z: number;
}

export interface Shape {
  readonly grid: Extent;
  readonly block: Extent;
  readonly threads: number;
  readonly blocks: number;
  readonly inputOffset: number;
  readonly binsOffset: number;
  readonly scratchOffset: number;
  readonly resultsOffset: number;
  /** Bytes of results of a thread, and whether they lie together or by variable. */
  readonly resultBytes: number;
  readonly isStrided: boolean;
  readonly memoryBytes: number;
  readonly paramBytes: number;
  /** Four bytes a thread, either static or all of the dynamic shared memory. */
  readonly exchangeBytes: number;
  readonly dynamicSharedBytes: number;
  /** Shared variables of the kernel. */
  readonly declarations: readonly string[];
}

function align(value: number): number {
  return Math.ceil(value / 256) * 256;
}

function makeBlock(random: Random): Extent {
  const flat = (x: number): Extent => ({ x, y: 1, z: 1 });
  return random.weighted<() => Extent>([
    [3, () => flat(32)],
    [3, () => flat(64)],
    [2, () => flat(128)],
    [1, () => flat(256)],
    [3, () => flat(random.between(1, 31))],
    [4, () => flat(random.pick([1, 33, 50, 63, 65, 96, 100]))],
    [2, () => ({ x: random.between(1, 16), y: random.between(1, 8), z: 1 })],
    [2, () => ({ x: 8, y: random.pick([2, 4, 8]), z: 1 })],
    [2, () => ({ x: random.between(1, 6), y: random.between(1, 5), z: random.between(1, 4) })],
    [1, () => random.percent(20) ? flat(1024) : flat(200)],
  ])();
}

function makeGrid(random: Random): Extent {
  return random.weighted<() => Extent>([
    [5, () => ({ x: 1, y: 1, z: 1 })],
    [3, () => ({ x: random.between(2, 4), y: 1, z: 1 })],
    [1, () => ({ x: random.between(1, 2), y: 2, z: 1 })],
    [1, () => ({ x: 1, y: random.between(1, 2), z: random.between(1, 2) })],
  ])();
}

export function makeShape(random: Random): Shape {
  const block = makeBlock(random);
  const threads = block.x * block.y * block.z;
  const grid = threads > 100 ? { x: 1, y: 1, z: 1 } : makeGrid(random);
  const blocks = grid.x * grid.y * grid.z;
  const inputOffset = 0;
  const binsOffset = align(inputOffset + INPUT_BYTES);
  const scratchOffset = align(binsOffset + GLOBAL_BIN_BYTES);
  const resultsOffset = align(scratchOffset + threads * blocks * SCRATCH_BYTES);
  const resultBytes = 128;
  const exchangeBytes = Math.ceil(threads / 4) * 16;
  return {
    grid,
    block,
    threads,
    blocks,
    inputOffset,
    binsOffset,
    scratchOffset,
    resultsOffset,
    resultBytes,
    isStrided: random.percent(50),
    memoryBytes: align(resultsOffset + threads * blocks * resultBytes),
    paramBytes: 24,
    exchangeBytes,
    dynamicSharedBytes: random.percent(30) ? exchangeBytes : 0,
    declarations: [
      `  .shared .align 16 .b8 ownShared[${threads * OWN_SHARED_BYTES}];`,
      `  .shared .align 16 .b8 sharedBins[${BIN_BYTES * BIN_COPIES}];`,
    ],
  };
}
