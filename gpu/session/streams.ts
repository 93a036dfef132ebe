/**
 * Streams: a guest's streams and events.
 *
 * Owns their handles, and for each stream how many launches it was given and how many are known to be done:
 * that says which windows may be written back. Invariant: a stream counts a launch as done only after the
 * device has said so, by a synchronisation, an event or a copy on that stream.
 */
import type { Copied } from "./copier.ts";
import type { GpuEvent, GpuStream } from "../device.ts";
import { HandleTable } from "./handles.ts";
import { GpuRefusal, overLimit } from "./refusal.ts";
import type { SessionParts, StreamState } from "./session_parts.ts";
import type { Steps } from "./steps.ts";

interface CreatedStream extends StreamState {
  readonly stream: GpuStream;
}

interface EventState {
  readonly event: GpuEvent;
  /** Where it was recorded last, and after which launch. */
  stream: StreamState | undefined;
  launch: number;
}

const NANOS_PER_MS = 1e6;

/** The streams and events of one session. */
export class Streams {
  readonly #parts: SessionParts;
  readonly #streams = new HandleTable<CreatedStream>();
  readonly #events = new HandleTable<EventState>();
  readonly defaultStream: StreamState = { stream: undefined, launchCount: 0, doneCount: 0 };

  constructor(parts: SessionParts) {
    this.#parts = parts;
  }

  /** A stream by its handle; 0 is the default stream. @throws GpuRefusal invalidHandle */
  get(handle: bigint): StreamState {
    return handle === 0n ? this.defaultStream : this.#created(handle);
  }

  createStream(): bigint {
    this.#checkCount();
    return this.#streams.add({ stream: this.#parts.context().createStream(), launchCount: 0, doneCount: 0 });
  }

  /** The stream must be done. @throws GpuRefusal invalidHandle, for the default stream as well */
  destroyStream(handle: bigint): void {
    this.#created(handle).stream[Symbol.dispose]();
    this.#streams.remove(handle);
  }

  createEvent(): bigint {
    this.#checkCount();
    return this.#events.add({ event: this.#parts.context().createEvent(), stream: undefined, launch: 0 });
  }

  destroyEvent(handle: bigint): void {
    this.#event(handle).event[Symbol.dispose]();
    this.#events.remove(handle);
  }

  recordEvent(handle: bigint, streamHandle: bigint): void {
    const state = this.#event(handle);
    const stream = this.get(streamHandle);
    this.#parts.context().recordEvent(state.event, stream.stream);
    state.stream = stream;
    state.launch = stream.launchCount;
  }

  waitEvent(streamHandle: bigint, handle: bigint): void {
    const stream = this.get(streamHandle);
    const { event, stream: recorded } = this.#event(handle);
    // One that was not recorded has nothing to wait for, as in CUDA.
    if (recorded !== undefined) this.#parts.context().waitEvent(stream.stream, event);
  }

  /** Whether an event is done; then its stream counts as done up to it. */
  queryEvent(handle: bigint): boolean {
    const state = this.#event(handle);
    if (state.stream === undefined) return true;
    const isDone = this.#parts.context().queryEvent(state.event);
    if (isDone) noteDone(state);
    return isDone;
  }

  /** Waits for an event, likewise. */
  *synchronizeEvent(handle: bigint): Steps<void> {
    const state = this.#event(handle);
    if (state.stream === undefined) return;
    const { stream, launch } = state;
    yield this.#parts.context().synchronizeEvent(state.event);
    noteDone({ stream, launch });
  }

  /** Where an event was recorded: windows of that stream up to that launch are due with it. */
  recorded(handle: bigint): { readonly stream: StreamState; readonly launch: number } | undefined {
    const { stream, launch } = this.#event(handle);
    return stream === undefined ? undefined : { stream, launch };
  }

  elapsedNanos(startHandle: bigint, endHandle: bigint): bigint {
    const [start, end] = [this.#event(startHandle), this.#event(endHandle)];
    if (start.stream === undefined || end.stream === undefined) {
      throw new GpuRefusal("invalidHandle", "An event was not recorded");
    }
    const elapsedMs = this.#parts.context().elapsedMs(start.event, end.event);
    return BigInt(Math.max(0, Math.round(elapsedMs * NANOS_PER_MS)));
  }

  /** Waits for one stream; for all if it is the default one, or none is named. */
  synchronize(stream: StreamState = this.defaultStream): Copied {
    const waits = this.#parts.madeContext()?.synchronize(stream.stream);
    return waits ? waits.then(() => this.#noteAllDone(stream)) : this.#noteAllDone(stream);
  }

  dispose(): void {
    for (const { event } of this.#events.entries()) event[Symbol.dispose]();
    for (const { stream } of this.#streams.entries()) stream[Symbol.dispose]();
    this.#events.clear();
    this.#streams.clear();
  }

  #noteAllDone(stream: StreamState): void {
    stream.doneCount = stream.launchCount;
    if (stream.stream !== undefined) return;
    for (const state of this.#streams.entries()) state.doneCount = state.launchCount;
  }

  #created(handle: bigint): CreatedStream {
    const state = this.#streams.get(handle);
    if (state === undefined) throw new GpuRefusal("invalidHandle", `No stream has the handle ${handle}`);
    return state;
  }

  #event(handle: bigint): EventState {
    const state = this.#events.get(handle);
    if (state === undefined) throw new GpuRefusal("invalidHandle", `No event has the handle ${handle}`);
    return state;
  }

  #checkCount(): void {
    const { gpuStreamsMax } = this.#parts.limits;
    const count = this.#streams.size + this.#events.size;
    if (count < gpuStreamsMax) return;
    throw overLimit("Too many streams and events", "gpuStreamsMax", gpuStreamsMax, count + 1);
  }
}

function noteDone({ stream, launch }: Pick<EventState, "stream" | "launch">): void {
  if (stream !== undefined) stream.doneCount = Math.max(stream.doneCount, launch);
}
