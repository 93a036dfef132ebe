/**
 * Crew: the helper threads of a device, which take blocks of a grid beside the thread that launched it.
 *
 * Owns the workers and what each of them knows already. They are started by the first launch that is worth it.
 * Whoever launches never waits for a helper that has not joined. Invariant: every launch that was shared is
 * closed and waited for before its memory is used for anything else.
 */
import { RECORD } from "../ptx/launch_record.ts";
import { crewWorker } from "./crew_worker.ts";
import type { CrewLaunch } from "./crew_worker.ts";

/** One launch to be shared. */
export interface SharedLaunch {
  readonly context: number;
  readonly variant: number;
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly imageBase: bigint;
  readonly control: Int32Array<SharedArrayBuffer>;
  readonly launch: number;
}

interface Helper {
  readonly worker: Worker;
  /** Contexts that it has the memory of, with the variants that it has compiled code of. */
  readonly known: Map<number, Set<number>>;
}

/** Helper threads. */
export class Crew implements Disposable {
  readonly size: number;
  #helpers: Helper[] | undefined;
  #url: string | undefined;

  constructor(size: number) {
    this.size = size;
  }

  /** Tells helper `index` of a launch; `record` is the place of its launch record. */
  invite(index: number, launch: SharedLaunch, record: number): void {
    const helper = this.#start()[index];
    if (helper === undefined) return;
    const known = helper.known.get(launch.context);
    const variants = known ?? new Set<number>();
    if (known === undefined) helper.known.set(launch.context, variants);
    const message: CrewLaunch = {
      context: launch.context,
      variant: launch.variant,
      ...(known === undefined ? { memory: launch.memory, control: launch.control } : {}),
      ...(variants.has(launch.variant) ? {} : { module: launch.module }),
      imageBase: launch.imageBase,
      launch: launch.launch,
      record: BigInt(record),
      fuelGrantedWord: (record + RECORD.fuelGranted) / 4,
      fuelLeftWord: (record + RECORD.fuelLeft) / 4,
      faultWord: (record + RECORD.fault) / 4,
    };
    variants.add(launch.variant);
    helper.worker.postMessage(message);
  }

  /** Drops a context everywhere. */
  forget(context: number): void {
    for (const { worker, known } of this.#helpers ?? []) {
      if (known.delete(context)) worker.postMessage({ forget: context });
    }
  }

  [Symbol.dispose](): void {
    for (const { worker } of this.#helpers ?? []) worker.terminate();
    this.#helpers = undefined;
    if (this.#url !== undefined) URL.revokeObjectURL(this.#url);
    this.#url = undefined;
  }

  #start(): readonly Helper[] {
    if (this.#helpers !== undefined) return this.#helpers;
    const text = `(${crewWorker})()`;
    const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
    this.#url = url;
    this.#helpers = Array.from(
      { length: this.size },
      () => ({ worker: new Worker(url, { type: "module" }), known: new Map() }),
    );
    return this.#helpers;
  }
}
