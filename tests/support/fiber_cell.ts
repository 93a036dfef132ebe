/**
 * Guests as fibers in tests: instrumented, and run by `runCall` on a real Scheduler, without a process or frames.
 *
 * Owns the surroundings of a cell and the defaults of a call's meta. Time is the test's (ManualHost) unless it asks for
 * the real one. Invariant: `run` and `finish` resolve with the cell empty.
 */
import { setImmediate } from "node:timers";
import type { GpuDevice } from "../../gpu/mod.ts";
import { Fiber } from "../../runtime/cell/fiber.ts";
import { compileModule, runCall } from "../../runtime/cell/instance.ts";
import type { CallResult, CellSurroundings, CompiledModule } from "../../runtime/cell/instance.ts";
import { makeTick } from "../../runtime/cell/jspi.ts";
import { MemoryGuard } from "../../runtime/cell/memory_guard.ts";
import type { MemoryBounds } from "../../runtime/cell/memory_guard.ts";
import { Scheduler } from "../../runtime/cell/scheduler.ts";
import type { SchedulerHost } from "../../runtime/cell/scheduler.ts";
import { DEFAULT_LIMITS } from "../../runtime/model/limits.ts";
import type { Limits } from "../../runtime/model/limits.ts";
import { instrumentModule } from "../../runtime/wasm/instrument.ts";
import type { CallMeta } from "../../runtime/wire/messages.ts";
import { readGuest } from "./guests.ts";
import { ManualHost } from "./manual_host.ts";

/** A spinning guest asks every 20,000 units of fuel at this pace, and gives way at every fourth time. */
const LOOK_MS = 0.25;

/** What a test wants to be different. */
export interface FiberCellOptions {
  readonly limits?: Partial<Limits>;
  readonly memory?: Partial<MemoryBounds>;
  /** Time that passes at each look at the clock. */
  readonly lookMs?: number;
  readonly writeLines?: (bytes: Uint8Array) => void;
  /** The device of guests that ask for one; none if absent. */
  readonly gpu?: GpuDevice;
}

/** A call that was submitted. */
export interface FiberCall {
  readonly fiber: Fiber;
  /** Rejects for a bug of ours only. */
  readonly result: Promise<CallResult>;
}

/** The real time and event loop. */
export const REAL_HOST: SchedulerHost = {
  nowMs: () => performance.now(),
  nextTurn: (callback) => void setImmediate(callback),
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};

/** A guest, ready to run: a built one by name, or the bytes of a module. */
export async function compileGuest(
  guest: string | Uint8Array,
  limits: Limits = DEFAULT_LIMITS,
): Promise<CompiledModule> {
  const instrumented = instrumentModule(typeof guest === "string" ? readGuest(guest) : guest, {
    memoryPagesMax: Math.floor(limits.memoryBytesMax / 65_536),
    tableElementsMax: limits.tableElementsMax,
  });
  return await compileModule(instrumented);
}

/** Runs guests side by side. */
export class FiberCell<Host extends SchedulerHost = ManualHost> {
  readonly host: Host;
  readonly scheduler: Scheduler;
  readonly memory: MemoryGuard;
  readonly #around: CellSurroundings;
  readonly #calls: Promise<CallResult>[] = [];

  /** A cell whose time is the test's. */
  static manual(options: FiberCellOptions = {}): FiberCell {
    return new FiberCell(new ManualHost({ lookMs: options.lookMs ?? LOOK_MS }), options);
  }

  /** A cell in real time, for guests that look at a clock themselves. */
  static real(options: FiberCellOptions = {}): FiberCell<SchedulerHost> {
    return new FiberCell(REAL_HOST, options);
  }

  private constructor(host: Host, options: FiberCellOptions) {
    const limits: Limits = { ...DEFAULT_LIMITS, ...options.limits };
    const memory = new MemoryGuard({
      memoryBytesMax: limits.cellMemoryBytesMax,
      heapBytesMax: limits.heapBytesMax,
      heapUsedBytes: () => 0,
      ...options.memory,
    });
    const scheduler = new Scheduler(host, limits.timeSliceMs, memory);
    this.host = host;
    this.memory = memory;
    this.scheduler = scheduler;
    this.#around = {
      scheduler,
      memory,
      limits,
      gpu: options.gpu,
      tick: makeTick((left) => scheduler.tick(left)),
      writeLines: options.writeLines ?? (() => {}),
    };
  }

  /** Submits a call; it begins when its turn comes. The export is `run` unless the meta says otherwise. */
  submit(compiled: CompiledModule, changes: Partial<CallMeta> = {}, input = ""): FiberCall {
    const { limits } = this.#around;
    const meta: CallMeta = {
      module: 1,
      tenant: "0",
      fuelMax: limits.fuelMax,
      outputBytesMax: limits.outputBytesMax,
      export: "run",
      args: [],
      resultTypes: [],
      initialize: false,
      programArgs: ["guest"],
      environment: [],
      deadlineMs: 30_000,
      remainingMs: changes.deadlineMs ?? 30_000,
      ...changes,
    };
    const { tenant, deadlineMs, remainingMs, fuelMax } = meta;
    const deadlineAtMs = this.host.nowMs() + remainingMs;
    const fiber = new Fiber({ tenant, deadlineMs, deadlineAtMs, fuelMax });
    const result = new Promise<CallResult>((resolve, reject) => {
      const bytes = new TextEncoder().encode(input);
      this.scheduler.submit(
        fiber,
        () =>
          runCall({ compiled, callId: this.#calls.length, meta, input: bytes, fiber, around: this.#around })
            .then(resolve, reject),
      );
    });
    this.#calls.push(result);
    // Who submitted it hears of a failure when everything is over.
    result.catch(() => {});
    return { fiber, result };
  }

  /** Runs one call to its end, and with it all others. */
  async run(guest: string | Uint8Array, changes: Partial<CallMeta> = {}, input = ""): Promise<CallResult> {
    const { result } = this.submit(await compileGuest(guest), changes, input);
    await this.finish();
    return await result;
  }

  /** Runs everything to its end. */
  async finish(): Promise<void> {
    if (this.host instanceof ManualHost) await this.host.runUntil(() => this.scheduler.size === 0);
    await Promise.allSettled(this.#calls);
  }
}
