/**
 * MemoryGuard: what the calls of a cell hold together.
 *
 * Owns the sums of linear and device memory and of the growth of the JavaScript heap, where tables, exceptions and objects
 * of the garbage collection proposal live, and picks who has to go when either comes near the cell's bound. It
 * stops nobody (scheduler.ts asks it). Invariant: a call is only blamed when it holds at least its share, so that a small
 * one does not pay for a large one.
 */
import { IdTable } from "../model/id_table.ts";
import type { Outcome } from "../model/outcome.ts";
import type { TenantMemory } from "../wire/messages.ts";
import type { Fiber } from "./fiber.ts";

interface Holding {
  readonly tenant: string;
  memory: WebAssembly.Memory | undefined;
  /** Memory that the call's device takes from the process. */
  readonly deviceBytes: () => number;
  deviceBytesLast: number;
  memoryBytes: number;
  heapGrowthBytes: number;
  checks: number;
}

/** Bounds of a cell. */
export interface MemoryBounds {
  /** Most bytes of linear memory and of devices of all calls together. */
  readonly memoryBytesMax: number;
  /** Size of the JavaScript heap, at which the engine would end the process. */
  readonly heapBytesMax: number;
  /** Bytes in use of it now. */
  readonly heapUsedBytes: () => number;
}

/** From this share of the heap on, who made it grow most is stopped; from the next, whoever asks. */
const HEAP_SHARE_WARN = 0.7;
const HEAP_SHARE_MAX = 0.85;
/** A call that made the heap grow by less than this share of it is not stopped for it. */
const BLAME_SHARE_MIN = 0.15;
/** Checks of a call, each some 200 µs of its time, per look at the heap. */
const HEAP_CHECK_EVERY = 3;

/** Watches the memory of one cell. */
export class MemoryGuard {
  readonly #bounds: MemoryBounds;
  readonly #holdings = new IdTable<Holding>();
  #totalBytes = 0;
  #deviceBytes = 0;
  #heapUsedLast: number;

  constructor(bounds: MemoryBounds) {
    this.#bounds = bounds;
    // What the cell itself uses is nobody's growth.
    this.#heapUsedLast = bounds.heapUsedBytes();
  }

  /** Bytes of linear memory and of devices of all calls, as last seen. */
  get totalBytes(): number {
    return this.#totalBytes;
  }

  /** Of which its device has, of all calls. */
  get deviceBytes(): number {
    return this.#deviceBytes;
  }

  /**
   * A call has its instance.
   *
   * @param deviceBytes what its device takes from the process, at any time
   * @returns how to end it if it does not fit
   */
  enter(
    fiber: Fiber,
    memory: WebAssembly.Memory | undefined,
    deviceBytes: () => number = () => 0,
  ): Outcome | undefined {
    this.#holdings.set(fiber.number, {
      tenant: fiber.limits.tenant,
      memory,
      deviceBytes,
      deviceBytesLast: 0,
      memoryBytes: 0,
      heapGrowthBytes: 0,
      checks: 0,
    });
    return this.check(fiber);
  }

  /** Whether the cell can bear so many bytes more. */
  hasRoom(byteLength: number): boolean {
    for (const holding of this.#holdings.values()) this.#measure(holding);
    return this.#totalBytes + byteLength <= this.#bounds.memoryBytesMax;
  }

  /** What the calls of each tenant hold, as last seen. */
  byTenant(): TenantMemory[] {
    const tenants = new Map<string, { tenant: string; memoryBytes: number; deviceBytes: number }>();
    for (const { tenant, memoryBytes, deviceBytesLast } of this.#holdings.values()) {
      const sum = tenants.get(tenant) ?? { tenant, memoryBytes: 0, deviceBytes: 0 };
      sum.memoryBytes += memoryBytes - deviceBytesLast;
      sum.deviceBytes += deviceBytesLast;
      tenants.set(tenant, sum);
    }
    return [...tenants.values()];
  }

  /** A call has the thread again: what the heap has grown by since it had it last is not its doing. */
  comeOn(fiber: Fiber): void {
    if (this.#holdings.has(fiber.number)) this.#heapUsedLast = this.#bounds.heapUsedBytes();
  }

  /** A call is over, its device still there. @returns the size of its linear memory and of its device's */
  leave(fiber: Fiber): number {
    const holding = this.#holdings.get(fiber.number);
    if (holding === undefined) return 0;
    this.#measure(holding);
    this.#holdings.delete(fiber.number);
    this.#totalBytes -= holding.memoryBytes;
    this.#deviceBytes -= holding.deviceBytesLast;
    return holding.memoryBytes;
  }

  /** How to end a call that asks to go on, if it must not. */
  check(fiber: Fiber): Outcome | undefined {
    const holding = this.#holdings.get(fiber.number);
    if (holding === undefined) return undefined;
    this.#measure(holding);
    const { memoryBytesMax } = this.#bounds;
    if (this.#totalBytes > memoryBytesMax && holding.memoryBytes * this.#holdings.size >= this.#totalBytes) {
      return { type: "exhausted", limit: "memory_bytes", max: memoryBytesMax, actual: this.#totalBytes };
    }
    // Reading the heap's size takes 2 µs, and the first two checks of a call see no guest of any length.
    return ++holding.checks % HEAP_CHECK_EVERY === 0 ? this.#checkHeap(holding) : undefined;
  }

  #measure(holding: Holding): void {
    const deviceBytes = holding.deviceBytes();
    this.#deviceBytes += deviceBytes - holding.deviceBytesLast;
    holding.deviceBytesLast = deviceBytes;
    const bytes = (holding.memory?.buffer.byteLength ?? 0) + deviceBytes;
    this.#totalBytes += bytes - holding.memoryBytes;
    holding.memoryBytes = bytes;
  }

  #checkHeap(holding: Holding): Outcome | undefined {
    const { heapBytesMax } = this.#bounds;
    const used = this.#bounds.heapUsedBytes();
    holding.heapGrowthBytes += Math.max(0, used - this.#heapUsedLast);
    this.#heapUsedLast = used;
    const max = Math.floor(heapBytesMax * HEAP_SHARE_WARN);
    // What a call that was just stopped has left is in use until it is collected: nobody else is blamed for it.
    if (used <= max || holding.heapGrowthBytes < heapBytesMax * BLAME_SHARE_MIN) return undefined;
    const isNearEnd = used > heapBytesMax * HEAP_SHARE_MAX;
    if (!isNearEnd && this.#greatestGrowth() > holding.heapGrowthBytes) return undefined;
    return { type: "exhausted", limit: "heap_bytes", max, actual: used };
  }

  #greatestGrowth(): number {
    let greatest = 0;
    for (const { heapGrowthBytes } of this.#holdings.values()) greatest = Math.max(greatest, heapGrowthBytes);
    return greatest;
  }
}
