/**
 * Cell: answers a gateway's frames; calls run side by side as fibers.
 *
 * Owns the modules that the gateway has sent (the gateway alone decides when one goes) and the answer to
 * each frame. It does not connect or give up permissions (main.ts does), nor choose who runs (scheduler.ts).
 * Invariant: every `call`, `prepare` and `ping` is answered by exactly one frame, unless the process dies.
 */
import { openDevice } from "../../gpu/mod.ts";
import { COMPILE_SECONDS } from "../model/compile_time.ts";
import { RuntimeFault, toFaultRecord } from "../model/fault.ts";
import { IdTable } from "../model/id_table.ts";
import { invariant, InvariantError } from "../model/invariant.ts";
import { DEFAULT_LIMITS } from "../model/limits.ts";
import type { Outcome } from "../model/outcome.ts";
import type { Frame, FrameReader } from "../wire/frame.ts";
import type { FrameWriter } from "../wire/frame_writer.ts";
import { FRAME } from "../wire/messages.ts";
import type {
  CallMeta,
  CancelMeta,
  ChunkMeta,
  ConfigureMeta,
  CreditMeta,
  DoubtMeta,
  FailingMeta,
  PongMeta,
  PreparedMeta,
  PrepareMeta,
  ResultMeta,
} from "../wire/messages.ts";
import { Buckets } from "./buckets.ts";
import { ChunkSender } from "./chunk_sender.ts";
import type { ChunkSocket } from "./chunk_sender.ts";
import { factsOf } from "./device_facts.ts";
import { Fiber } from "./fiber.ts";
import type { GpuKeeper } from "./gpu_keeper.ts";
import { compileModule, runCall } from "./instance.ts";
import type { CellSurroundings, CompiledModule } from "./instance.ts";
import { makeTick } from "./jspi.ts";
import { MemoryGuard } from "./memory_guard.ts";
import { prepareBody } from "./prepare.ts";
import { Scheduler } from "./scheduler.ts";
import type { SchedulerHost } from "./scheduler.ts";

/** What a cell needs of its process. */
export interface CellHost extends SchedulerHost {
  /** The GPU of a dedicated cell. */
  readonly keeper?: GpuKeeper | undefined;
  /** Writes log lines to the cell's stdout before it returns. */
  writeLines(bytes: Uint8Array): void;
  /** Bytes in use of the JavaScript heap, and resident memory of the process. */
  heapUsedBytes(): number;
  residentBytes(): number;
}

/** Share of a cell's memory that guests' linear memories may take; outputs and the engine have the rest. */
const MEMORY_SHARE = 0.75;

/** How long a frame may have waited: so much earlier a deadline is at most, should clocks not be known well. */
const FRAME_WAIT_MS_MAX = 10;

/** Serves one gateway until it closes the connection. */
export class Cell {
  readonly #reader: FrameReader;
  readonly #writer: FrameWriter;
  readonly #host: CellHost;
  readonly #modules = new Map<number, CompiledModule | Promise<CompiledModule>>();
  readonly #fibers = new IdTable<Fiber>();
  /** Of the calls whose output is streamed. */
  readonly #chunks = new IdTable<ChunkSender>();
  readonly #socket: ChunkSocket;
  #around: CellSurroundings;
  readonly #compiles = new Buckets(COMPILE_SECONDS);
  #isConfigured = false;
  #hasToldDevice = false;

  constructor(reader: FrameReader, writer: FrameWriter, host: CellHost) {
    this.#reader = reader;
    this.#writer = writer;
    this.#socket = socketOf(writer);
    this.#host = host;
    this.#around = this.#configure({ limits: DEFAULT_LIMITS });
    if (host.keeper !== undefined) {
      host.keeper.onFailing = (reason): void =>
        writer.send(FRAME.failing, 0, { reason } satisfies FailingMeta);
      host.keeper.onDoubt = (isDoubtful): void =>
        writer.send(FRAME.doubt, 0, { isDoubtful } satisfies DoubtMeta);
    }
  }

  /** Answers frames until the connection ends. */
  async serve(): Promise<void> {
    for (let frame = await this.#reader.next(); frame !== undefined; frame = await this.#reader.next()) {
      this.#answer(frame);
    }
  }

  #configure({ limits, gpu }: ConfigureMeta): CellSurroundings {
    const memory = new MemoryGuard({
      memoryBytesMax: Math.floor(limits.cellMemoryBytesMax * MEMORY_SHARE),
      heapBytesMax: limits.heapBytesMax,
      heapUsedBytes: () => this.#host.heapUsedBytes(),
    });
    const scheduler = new Scheduler(this.#host, limits.timeSliceMs, memory);
    const { keeper } = this.#host;
    return {
      scheduler,
      memory,
      limits,
      gpu: keeper?.device ?? (gpu === undefined ? undefined : openDevice(gpu)),
      keeper,
      tick: makeTick((left) => scheduler.tick(left)),
      writeLines: (bytes) => this.#host.writeLines(bytes),
    };
  }

  #answer(frame: Frame): void {
    switch (frame.type) {
      case FRAME.configure:
        invariant(!this.#isConfigured, "A cell is configured once, before anything else");
        this.#isConfigured = true;
        this.#around = this.#configure(frame.meta as ConfigureMeta);
        return;
      case FRAME.module:
        return this.#takeModule(frame.id, frame.blob);
      case FRAME.forget:
        this.#modules.delete(frame.id);
        return;
      case FRAME.call:
        return this.#call(frame.id, frame.meta as CallMeta, frame.blob);
      case FRAME.credit:
        return this.#chunks.get(frame.id)?.credit((frame.meta as CreditMeta).bytes);
      case FRAME.cancel:
        return this.#cancel(frame.id, (frame.meta as CancelMeta).by);
      case FRAME.prepare:
        return this.#prepare(frame.id, frame.meta as PrepareMeta, frame.blob);
      case FRAME.ping:
        return this.#writer.send(FRAME.pong, frame.id, this.#pong());
      default:
        throw new InvariantError(`Frame type ${frame.type} is not for a cell`);
    }
  }

  #pong(): PongMeta {
    const { memory, gpu, keeper } = this.#around;
    const isNews = gpu !== undefined && !this.#hasToldDevice;
    this.#hasToldDevice = true;
    const compiles = this.#compiles.take();
    return {
      nowMs: this.#host.nowMs(),
      residentBytes: this.#host.residentBytes(),
      gpuMemoryBytes: keeper?.allocatedBytes ?? memory.deviceBytes,
      // What guests have on a GPU is not in this process.
      tenants: keeper === undefined ? memory.byTenant() : memory.byTenant()
        .map((held) => ({ ...held, deviceBytes: keeper.allocatedBytes })),
      ...(compiles === undefined ? {} : { compiles }),
      ...(isNews ? { device: factsOf(gpu.info) } : {}),
    };
  }

  #takeModule(id: number, bytes: Uint8Array<ArrayBuffer>): void {
    const startMs = this.#host.nowMs();
    const finish = (): void => this.#compiles.add((this.#host.nowMs() - startMs) / 1000);
    const compiled = startCompiling(bytes);
    this.#modules.set(id, compiled);
    if (!(compiled instanceof Promise)) return finish();
    // The calls that wait for it report a failure; it must not go unhandled before the first comes.
    compiled.then((module) => {
      finish();
      if (this.#modules.has(id)) this.#modules.set(id, module);
    }, () => {});
  }

  #call(id: number, meta: CallMeta, input: Uint8Array): void {
    const fiber = new Fiber({
      tenant: meta.tenant,
      deadlineMs: meta.deadlineMs,
      deadlineAtMs: deadlineOf(meta, this.#host.nowMs()),
      fuelMax: meta.fuelMax,
    });
    this.#fibers.set(id, fiber);
    const compiled = this.#modules.get(meta.module);
    if (compiled === undefined) {
      return this.#fail(id, new InvariantError("A module is sent before it is called"));
    }
    if (meta.stream !== undefined) {
      const { chunkBytesMax } = this.#around.limits;
      this.#chunks.set(id, new ChunkSender(id, meta.stream, chunkBytesMax, this.#socket));
    }
    const needed = compiled instanceof Promise ? compiled : undefined;
    this.#around.scheduler.submit(fiber, () => this.#run(id, meta, input, fiber, compiled), needed);
  }

  async #run(
    id: number,
    meta: CallMeta,
    input: Uint8Array,
    fiber: Fiber,
    compiled: CompiledModule | Promise<CompiledModule>,
  ): Promise<void> {
    try {
      // It is there, unless the call is over: then no module is needed.
      const module = this.#around.scheduler.isOver(fiber) ? undefined : await compiled;
      const result = await runCall({
        ...{ compiled: module, callId: id, meta, input, fiber },
        ...{ around: this.#around, chunks: this.#chunks.get(id) },
      });
      this.#forget(id);
      this.#writer.send(FRAME.result, id, result.meta, result.output);
    } catch (error) {
      this.#fail(id, error);
    }
  }

  #forget(id: number): void {
    this.#fibers.delete(id);
    this.#chunks.delete(id);
  }

  #cancel(id: number, by: CancelMeta["by"]): void {
    const fiber = this.#fibers.get(id);
    if (fiber === undefined) return;
    const outcome: Outcome = { type: "cancelled", by };
    fiber.stop(outcome);
    this.#around.scheduler.cancel(fiber, outcome);
  }

  /** A bug of ours, or a module that the engine took at deploy and refuses now. */
  #fail(id: number, error: unknown): void {
    this.#forget(id);
    const result: ResultMeta = {
      startedAtMs: this.#host.nowMs(),
      outcome: { type: "lost", reason: "cell_fault" },
      spans: [],
      logLines: 0,
      usage: { fuel: 0, yields: 0, cpuUs: 0, memoryBytes: 0 },
      fault: { code: "internal", message: describe(error) },
    };
    this.#writer.send(FRAME.result, id, result);
  }

  #prepare(id: number, meta: PrepareMeta, body: Uint8Array<ArrayBuffer>): void {
    try {
      const { name, facts, bytes, instrumented } = prepareBody(meta.form, body, meta.limits);
      const original = meta.form === "json" ? bytes : new Uint8Array(0);
      const answer: PreparedMeta = {
        ...(name === undefined ? {} : { name }),
        facts,
        originalBytes: original.length,
      };
      this.#writer.send(FRAME.prepared, id, answer, join(original, instrumented));
    } catch (error) {
      const answer: PreparedMeta = error instanceof RuntimeFault
        ? { fault: toFaultRecord(error) }
        : { fault: { code: "internal", message: describe(error) } };
      this.#writer.send(FRAME.prepared, id, answer);
    }
  }
}

function socketOf(writer: FrameWriter): ChunkSocket {
  return {
    get backlogBytes(): number {
      return writer.backlogBytes;
    },
    flushed: () => writer.flushed(),
    sendChunk: (call: number, meta: ChunkMeta | undefined, bytes: Uint8Array) =>
      writer.send(FRAME.chunk, call, meta, bytes),
  };
}

/**
 * When a call's time is over. What remained when its frame was sent makes that too late by the time the frame
 * waited here; the gateway's instant is right, or early by what it does not know of this clock yet.
 */
function deadlineOf({ remainingMs, deadlineAtMs = Infinity }: CallMeta, nowMs: number): number {
  const latestMs = nowMs + remainingMs;
  return Math.min(latestMs, Math.max(deadlineAtMs, latestMs - FRAME_WAIT_MS_MAX));
}

/** As compileModule; what the engine refuses is a rejection, which its calls report. */
function startCompiling(bytes: Uint8Array<ArrayBuffer>): CompiledModule | Promise<CompiledModule> {
  try {
    return compileModule(bytes);
  } catch (error) {
    return Promise.reject(error);
  }
}

function join(first: Uint8Array, second: Uint8Array<ArrayBuffer>): Uint8Array {
  if (first.length === 0) return second;
  const joined = new Uint8Array(first.length + second.length);
  joined.set(first);
  joined.set(second, first.length);
  return joined;
}

/** For the gateway's log alone: the gateway never shows the message of an `internal` fault to a caller. */
function describe(error: unknown): string {
  invariant(error !== undefined, "What is thrown is something");
  return error instanceof Error ? `${error.name}: ${error.message}`.slice(0, 500) : "Unknown error";
}
