/**
 * What a helper thread of the CPU device runs.
 *
 * Owns one function whose text becomes the worker: a cell has no permission to read a file by the time it needs
 * helpers, so the worker is made from memory. It therefore names nothing outside of itself. Invariant: it takes
 * part in a launch only by joining it (control_words.ts has the protocol), and stops within one grant of fuel
 * when the launch is stopped.
 */

/** A launch, as a helper is told of it. `module` and `memory` come with the first that needs them. */
export interface CrewLaunch {
  readonly context: number;
  readonly variant: number;
  readonly module?: WebAssembly.Module;
  readonly memory?: WebAssembly.Memory;
  readonly imageBase: bigint;
  /** Index of the control block's first 32-bit word, and the launch's number. */
  readonly controlWord: number;
  readonly launch: number;
  /** Place of the helper's own launch record. */
  readonly record: bigint;
  /** Byte offset of the record's fuel words. */
  readonly fuelGrantedWord: number;
  readonly fuelLeftWord: number;
}

/** What a helper is told to drop. */
export interface CrewForget {
  readonly forget: number;
}

/** The worker. Its text is all that it is. */
export function crewWorker(): void {
  const grant = 200_000;
  const contexts = new Map<
    number,
    { memory: WebAssembly.Memory; instances: Map<number, (record: bigint) => void> }
  >();
  const scope = globalThis as unknown as {
    onmessage: (event: { data: CrewLaunch | CrewForget }) => void;
    postMessage: (message: unknown) => void;
  };
  /** Of the launch that runs. */
  let words: Int32Array = new Int32Array(0);
  let control = 0;
  const tick = (fuel: number): number => {
    Atomics.add(words, control + 6, fuel);
    return Atomics.load(words, control + 4) === 0 ? grant : -1;
  };
  const join = (launch: number): boolean => {
    for (;;) {
      const seen = Atomics.load(words, control + 2);
      if (seen >>> 8 !== launch || (seen & 0x80) !== 0) return false;
      if (Atomics.compareExchange(words, control + 2, seen, seen + 1) === seen) return true;
    }
  };
  scope.onmessage = ({ data }): void => {
    if ("forget" in data) {
      contexts.delete(data.forget);
      return;
    }
    let context = contexts.get(data.context);
    if (context === undefined) {
      if (data.memory === undefined) return;
      context = { memory: data.memory, instances: new Map() };
      contexts.set(data.context, context);
    }
    const { memory, instances } = context;
    let run = instances.get(data.variant);
    if (run === undefined) {
      if (data.module === undefined) return;
      const { exports } = new WebAssembly.Instance(data.module, {
        k: {
          memory,
          tick,
          print: () => {},
          clock: () => BigInt(Math.round(performance.now() * 1e6)),
          imageBase: data.imageBase as unknown as WebAssembly.ImportValue,
        },
      });
      run = exports["run"] as (record: bigint) => void;
      instances.set(data.variant, run);
    }
    words = new Int32Array(memory.buffer);
    control = data.controlWord;
    if (!join(data.launch)) return;
    try {
      Atomics.store(words, data.fuelGrantedWord, grant);
      run(data.record);
      Atomics.add(
        words,
        control + 6,
        Atomics.load(words, data.fuelGrantedWord) - Atomics.load(words, data.fuelLeftWord),
      );
    } catch (error) {
      // The record says why; where it does not, the engine's word for it goes to the owner.
      Atomics.store(words, control + 4, 1);
      scope.postMessage({ launch: data.launch, message: error instanceof Error ? error.message : "trap" });
    }
    Atomics.add(words, control + 3, 1);
    Atomics.notify(words, control + 3);
  };
}
