/**
 * LaunchWindow: how far a stream's launches may be ahead of the device.
 *
 * Owns two events, recorded in turn every so many launches. A driver whose queue is full holds the thread up,
 * and with it everybody's fibers; before that the launcher waits like any other. Invariant: less than three
 * steps of launches of one stream are under way.
 */
import type { DriverContext } from "./driver_context.ts";
import { CudaEvent } from "./handles.ts";
import type { CudaStream } from "./handles.ts";

/** The queue of a channel takes some 1024 launches; the bound is not measured on hardware. */
const STEP = 128;

/** The window of one stream. */
export class LaunchWindow implements Disposable {
  readonly #context: DriverContext;
  #older: CudaEvent | undefined;
  #newer: CudaEvent | undefined;
  #count = 0;

  constructor(context: DriverContext) {
    this.#context = context;
  }

  /** Counts a launch. @returns what must be done before it, if anything */
  next(): CudaEvent | undefined {
    return ++this.#count % STEP === 0 ? this.#older : undefined;
  }

  /** Marks where the stream is, after a step of launches. */
  mark(stream: CudaStream): void {
    if (this.#count % STEP !== 0) return;
    const event = this.#older ?? CudaEvent.open(this.#context, false);
    this.#older = this.#newer;
    this.#newer = event;
    event.record(stream);
  }

  [Symbol.dispose](): void {
    this.#older?.[Symbol.dispose]();
    this.#newer?.[Symbol.dispose]();
    this.#older = this.#newer = undefined;
  }
}
