/**
 * CallContext: the GuestContext of one call, with its output, its log lines and its span events.
 *
 * Owns the bounds on output and log lines, the guest's wait for the reader of a stream, and turns a stop of the
 * call's fiber into an error that unwinds the guest. It knows nothing of WASI or any other host module. Invariant:
 * what leaves it is never larger than the limits, whatever the guest writes.
 */
import type { GpuSession } from "../../gpu/mod.ts";
import type { Limits } from "../model/limits.ts";
import { GUEST_LOG_LEVELS, GuestStop } from "./guest_context.ts";
import type { GuestContext, GuestLogLevel, GuestLogSource } from "./guest_context.ts";
import type { Outcome } from "../model/outcome.ts";
import type { ChunkSender } from "./chunk_sender.ts";
import type { Fiber } from "./fiber.ts";
import type { GuestGpu } from "./guest_gpu.ts";
import { GuestLog } from "./guest_log.ts";
import type { Scheduler } from "./scheduler.ts";

/** What a call brings along. */
export interface CallInput {
  readonly callId: number;
  readonly input: Uint8Array;
  readonly programArgs: readonly string[];
  readonly environment: readonly string[];
  readonly outputBytesMax: number;
  readonly startedAtMs: number;
}

/** Most span events of one call; the OpenTelemetry SDK's default event limit. */
const SPAN_EVENTS_MAX = 128;
/** Longest name of a span event, in UTF-16 units. */
const EVENT_NAME_LENGTH_MAX = 256;
/** A media type by RFC 9110 §8.3.1, without white space or control characters around its parameters. */
const MEDIA_TYPE = /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+(;[ ]?[\w!#$&^.+-]+=("[\w !#$&^.+:/=-]*"|[\w!#$&^.+-]+))*$/;
const MEDIA_TYPE_LENGTH_MAX = 255;

const encoder = new TextEncoder();

/** Implements GuestContext for one call. */
export class CallContext implements GuestContext {
  readonly input: Uint8Array;
  readonly args: readonly string[];
  readonly environment: readonly string[];
  readonly fileBytesMax: number;
  readonly chunkBytesMax: number;
  readonly #limits: Limits;
  readonly #call: CallInput;
  readonly #writeLines: (bytes: Uint8Array) => void;
  /** Made by the first line: most calls print nothing. */
  #log: GuestLog | undefined;
  readonly #events: { name: string; atUs: number }[] = [];
  /** The output so far, in a buffer that doubles: a guest that writes byte by byte makes no more garbage. */
  #output = new Uint8Array(0);
  #outputBytes = 0;
  #contentType: string | undefined;
  #memory: WebAssembly.Memory | undefined;
  readonly #fiber: Fiber;
  readonly #scheduler: Scheduler;
  readonly #gpu: GuestGpu | undefined;
  /** Takes the output of a streamed call. */
  readonly #chunks: ChunkSender | undefined;

  constructor(
    call: CallInput,
    fiber: Fiber,
    scheduler: Scheduler,
    limits: Limits,
    writeLines: (bytes: Uint8Array) => void,
    gpu?: GuestGpu,
    chunks?: ChunkSender,
  ) {
    this.#gpu = gpu;
    this.#chunks = chunks;
    this.#call = call;
    this.#fiber = fiber;
    this.#scheduler = scheduler;
    this.#limits = limits;
    this.input = call.input;
    this.args = call.programArgs;
    this.environment = call.environment;
    this.fileBytesMax = limits.fileBytesMax;
    this.chunkBytesMax = limits.chunkBytesMax;
    this.#writeLines = writeLines;
  }

  get contentType(): string | undefined {
    return this.#contentType;
  }

  get events(): readonly { readonly name: string; readonly atUs: number }[] {
    return this.#events;
  }

  /** Gives the call its memory; before this, `memory()` is undefined (a start function runs without). */
  attachMemory(memory: WebAssembly.Memory | undefined): void {
    this.#memory = memory;
  }

  memory(): WebAssembly.Memory | undefined {
    return this.#memory;
  }

  gpu(): GpuSession | undefined {
    return this.#gpu?.sessionFor({
      memory: () => this.#memory,
      print: (text) => this.writeLog("device", "info", encoder.encode(text)),
    });
  }

  deadlineRemainingMs(): number {
    return Math.max(0, this.#fiber.limits.deadlineAtMs - performance.now());
  }

  get isStream(): boolean {
    return this.#chunks !== undefined;
  }

  writeOutput(bytes: Uint8Array): Promise<void> | undefined {
    if (this.#chunks !== undefined) return this.#stream(this.#chunks, bytes);
    this.#gather(bytes);
    return undefined;
  }

  rejectChunk(): void {
    this.#chunks?.reject();
  }

  #stream(chunks: ChunkSender, bytes: Uint8Array): Promise<void> | undefined {
    const outcome = chunks.exceeds(bytes.length);
    if (outcome !== undefined) this.stop(outcome);
    if (bytes.length <= chunks.pieceBytesMax && chunks.trySend(bytes, this.#contentType)) return this.rest();
    return this.#streamInTurn(chunks, bytes);
  }

  /** In pieces, and each when there is room for it. */
  async #streamInTurn(chunks: ChunkSender, bytes: Uint8Array): Promise<void> {
    for (let offset = 0; offset === 0 || offset < bytes.length; offset += chunks.pieceBytesMax) {
      const piece = bytes.subarray(offset, offset + chunks.pieceBytesMax);
      while (!chunks.trySend(piece, this.#contentType)) {
        await this.#scheduler.wait(chunks.room(piece.length));
        this.#throwIfStopped();
      }
    }
  }

  #gather(bytes: Uint8Array): void {
    const total = this.#outputBytes + bytes.length;
    const max = this.#call.outputBytesMax;
    if (total > max) this.stop({ type: "exhausted", limit: "output_bytes", max, actual: total });
    // Copied: the guest may change its memory before the output leaves.
    if (total > this.#output.length) {
      const grown = new Uint8Array(Math.min(max, Math.max(total, 2 * this.#output.length)));
      grown.set(this.#output.subarray(0, this.#outputBytes));
      this.#output = grown;
    }
    this.#output.set(bytes, this.#outputBytes);
    this.#outputBytes = total;
  }

  setContentType(contentType: string): boolean {
    if (this.#chunks?.hasBegun === true) return false;
    if (contentType.length > MEDIA_TYPE_LENGTH_MAX || !MEDIA_TYPE.test(contentType)) return false;
    this.#contentType = contentType;
    return true;
  }

  writeLog(source: GuestLogSource, level: GuestLogLevel, bytes: Uint8Array): void {
    this.#log ??= new GuestLog(this.#call.callId, this.#limits, this.#writeLines);
    this.#log.write(source, level, bytes);
  }

  addSpanEvent(name: string): void {
    if (this.#events.length >= SPAN_EVENTS_MAX) return;
    const atUs = Math.round((performance.now() - this.#call.startedAtMs) * 1000);
    this.#events.push({ name: name.slice(0, EVENT_NAME_LENGTH_MAX), atUs });
  }

  checkpoint(isOffered: boolean): Promise<void> | undefined {
    const parked = this.#scheduler.checkpoint(isOffered);
    if (parked !== undefined) return parked.then(() => this.#throwIfStopped());
    this.#throwIfStopped();
    return undefined;
  }

  rest(): Promise<void> | undefined {
    return this.#scheduler.isLookDue ? this.checkpoint(false) : undefined;
  }

  async sleep(durationMs: number): Promise<void> {
    await this.#scheduler.sleep(durationMs);
    this.#throwIfStopped();
  }

  cpuMs(): number {
    return this.#scheduler.runningMs();
  }

  stop(outcome: Outcome): never {
    this.#fiber.stop(outcome);
    throw new GuestStop(this.#fiber.stopped ?? outcome);
  }

  #throwIfStopped(): void {
    if (this.#fiber.stopped !== undefined) throw new GuestStop(this.#fiber.stopped);
  }

  /** Prints what is left of unfinished lines and returns how many lines this call has printed in all. */
  finishLog(): number {
    return this.#log?.finish() ?? 0;
  }

  /** The whole output in one piece. */
  takeOutput(): Uint8Array {
    return this.#output.subarray(0, this.#outputBytes);
  }
}

/** The level of an ABI's level number, `info` for a number outside the list. */
export function guestLogLevel(index: number): GuestLogLevel {
  return GUEST_LOG_LEVELS[index] ?? "info";
}
