/**
 * Arena: the memory in which one worker runs the blocks of a launch.
 *
 * Owns the launch record, the parameters, and a block's shared memory, saved registers and local memory, in one
 * allocation that is kept for the next launch and replaced when one needs more. Invariant: the parts do not
 * overlap, and lie in the context's own memory.
 */
import type { Dim3 } from "../device.ts";
import { RECORD } from "../ptx/launch_record.ts";
import type { DeviceMemory } from "./memory.ts";

/** Sizes that one launch needs. */
export interface ArenaSizes {
  readonly paramBytes: number;
  readonly sharedBytes: number;
  readonly saveBytes: number;
  readonly localBytes: number;
}

/** What a worker needs to know of a launch. */
export interface LaunchWords extends ArenaSizes {
  readonly grid: Dim3;
  readonly params: Uint8Array;
  /** Place of the counter of blocks. */
  readonly counter: bigint;
  /** Blocks that a worker takes from it at a time. */
  readonly chunk: number;
  readonly fuel: number;
}

/** One worker's memory. */
export class Arena {
  readonly #memory: DeviceMemory;
  #offset: number | undefined;
  #byteLength = 0;

  constructor(memory: DeviceMemory) {
    this.#memory = memory;
  }

  get byteLength(): number {
    return this.#byteLength;
  }

  /** Makes room. @returns the place of the record; @throws GpuError OUT_OF_MEMORY */
  reserve(sizes: ArenaSizes): number {
    const byteLength = RECORD.bytes + 64 + align(sizes.paramBytes) + align(sizes.sharedBytes) +
      align(sizes.saveBytes) + align(sizes.localBytes);
    if (this.#offset === undefined || byteLength > this.#byteLength) {
      if (this.#offset !== undefined) this.#memory.release(this.#offset);
      this.#offset = undefined;
      this.#offset = this.#memory.allocate(byteLength, false);
      this.#byteLength = byteLength;
    }
    return this.#offset;
  }

  /** Writes a launch into the record. @returns its place */
  write(launch: LaunchWords): number {
    const record = this.reserve(launch);
    const { bytes } = this.#memory;
    const view = new DataView(bytes.buffer);
    const params = record + align(RECORD.bytes);
    const shared = params + align(launch.paramBytes);
    const save = shared + align(launch.sharedBytes);
    const local = save + align(launch.saveBytes);
    const { x, y, z } = launch.grid;
    view.setInt32(record + RECORD.gridX, x, true);
    view.setInt32(record + RECORD.gridY, y, true);
    view.setInt32(record + RECORD.gridZ, z, true);
    view.setInt32(record + RECORD.sharedBytes, launch.sharedBytes, true);
    view.setBigInt64(record + RECORD.sharedBase, BigInt(shared), true);
    view.setBigInt64(record + RECORD.saveBase, BigInt(save), true);
    view.setBigInt64(record + RECORD.localBase, BigInt(local), true);
    view.setBigInt64(record + RECORD.counter, launch.counter, true);
    view.setBigInt64(record + RECORD.chunk, BigInt(launch.chunk), true);
    view.setBigInt64(record + RECORD.blockCount, BigInt(x) * BigInt(y) * BigInt(z), true);
    view.setInt32(record + RECORD.fuelGranted, launch.fuel, true);
    view.setInt32(record + RECORD.fuelLeft, 0, true);
    view.setInt32(record + RECORD.fault, 0, true);
    view.setInt32(record + RECORD.faultLine, 0, true);
    view.setBigInt64(record + RECORD.params, BigInt(params), true);
    bytes.set(launch.params, params);
    return record;
  }
}

function align(bytes: number): number {
  return Math.ceil(bytes / 64) * 64;
}
