/**
 * What a helper thread of the CPU device runs.
 *
 * Owns one function whose text becomes the worker: a cell has no permission to read a file by the time it needs
 * helpers, so the worker is made from memory. It therefore names nothing outside of itself. Invariant: it takes
 * part in a launch only by joining it (control_words.ts has the protocol), and stops within one grant of fuel
 * when the launch is stopped.
 */

/** A launch, as a helper is told of it. `module`, `memory` and `control` come with the first that needs them. */
export interface CrewLaunch {
  readonly context: number;
  readonly variant: number;
  readonly module?: WebAssembly.Module;
  readonly memory?: WebAssembly.Memory;
  readonly control?: Int32Array<SharedArrayBuffer>;
  readonly imageBase: bigint;
  readonly launch: number;
  /** Place of the helper's own launch record. */
  readonly record: bigint;
  /** Indices of words of the record. */
  readonly fuelGrantedWord: number;
  readonly fuelLeftWord: number;
  readonly faultWord: number;
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
    { memory: WebAssembly.Memory; control: Int32Array; instances: Map<number, (record: bigint) => void> }
  >();
  const scope = globalThis as unknown as {
    onmessage: (event: { data: CrewLaunch | CrewForget }) => void;
  };
  /** Of the launch that runs: joined, ended, stopped, fuel, trap and its offset (control_words.ts). */
  let control: Int32Array = new Int32Array(8);
  const tick = (fuel: number): number => {
    Atomics.add(control, 3, fuel);
    return Atomics.load(control, 2) === 0 ? grant : -1;
  };
  const join = (launch: number): boolean => {
    for (;;) {
      const seen = Atomics.load(control, 0);
      if (seen >>> 8 !== launch || (seen & 0x80) !== 0) return false;
      if (Atomics.compareExchange(control, 0, seen, seen + 1) === seen) return true;
    }
  };
  scope.onmessage = ({ data }): void => {
    if ("forget" in data) {
      contexts.delete(data.forget);
      return;
    }
    let context = contexts.get(data.context);
    if (context === undefined) {
      if (data.memory === undefined || data.control === undefined) return;
      context = { memory: data.memory, control: data.control, instances: new Map() };
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
    control = context.control;
    if (!join(data.launch)) return;
    const words = new Int32Array(memory.buffer);
    try {
      Atomics.store(words, data.fuelGrantedWord, grant);
      run(data.record);
      const used = Atomics.load(words, data.fuelGrantedWord) - Atomics.load(words, data.fuelLeftWord);
      // A kernel can write to the record: what it says is believed within reason.
      Atomics.add(control, 3, Math.max(0, Math.min(used, grant)));
    } catch (error) {
      // The record says why; where it does not, the engine's message is all there is (fault.ts).
      if (Atomics.load(words, data.faultWord) === 0) {
        const { message: text, stack = "" } = error instanceof Error ? error : new Error("");
        const [, offset = "0"] = /wasm-function\[[0-9]+\]:0x([0-9a-f]+)/.exec(stack) ?? [];
        Atomics.store(control, 5, Number.parseInt(offset, 16));
        Atomics.store(control, 4, /out of bounds/.test(text) ? 700 : /unaligned/.test(text) ? 716 : 719);
      }
      Atomics.store(control, 2, 1);
    }
    Atomics.add(control, 1, 1);
    Atomics.notify(control, 1);
  };
}
