/**
 * ModuleCache: the modules that a DriverContext has loaded.
 *
 * Owns which loads may share one CUmodule (the same text, and no variable in it: those are each load's own), and
 * when one is unloaded: when nobody has it and nothing runs, some of those that may be asked for again excepted. Texts with variables
 * are compiled by the driver's own cache only once. Invariant: a module is not unloaded while somebody has it.
 */
import { GpuError } from "../gpu_error.ts";
import type { DriverContext } from "./driver_context.ts";
import type { ModuleHandle } from "./handles.ts";
import type { Jit } from "./jit.ts";
import { isStateless, kernelsOf, readPtx } from "./module.ts";
import type { ModuleParts } from "./module.ts";
import { rewritePrint, usesDriverPrint } from "./print_rewrite.ts";

interface Entry extends ModuleParts {
  /** Undefined for one that is not shared. */
  readonly text: string | undefined;
  users: number;
}

/** Most modules that nobody has and that are kept. */
const IDLE_MAX = 64;

/** The modules of one context. */
export class ModuleCache implements Disposable {
  readonly #context: DriverContext;
  readonly #jit: Jit;
  readonly #shared = new Map<string, Entry>();
  readonly #entries = new Map<ModuleHandle, Entry>();

  constructor(context: DriverContext, jit: Jit) {
    this.#context = context;
    this.#jit = jit;
  }

  /** @throws GpuError INVALID_PTX with the log */
  load(ptx: Uint8Array): ModuleParts {
    const text = decode(ptx);
    const known = this.#shared.get(text);
    if (known !== undefined) {
      known.users++;
      return known;
    }
    const source = readPtx(text);
    const rewritten = usesDriverPrint(source) ? rewritePrint(text) : text;
    const isPrinting = rewritten !== text;
    const handle = this.#jit.load(this.#context, isPrinting ? new TextEncoder().encode(rewritten) : ptx);
    try {
      const kernels = kernelsOf(handle, source);
      const isShared = isStateless(source) && !isPrinting;
      const entry: Entry = { handle, kernels, isPrinting, text: isShared ? text : undefined, users: 1 };
      this.#entries.set(handle, entry);
      if (isShared) this.#shared.set(text, entry);
      return entry;
    } catch (error) {
      handle[Symbol.dispose]();
      throw error;
    }
  }

  release(handle: ModuleHandle): void {
    const entry = this.#entries.get(handle);
    if (entry === undefined || --entry.users > 0) return;
    if (entry.text === undefined) this.#unload(entry);
    else this.#trim();
  }

  [Symbol.dispose](): void {
    for (const entry of [...this.#entries.values()]) this.#unload(entry);
  }

  /** The longest loaded of those that nobody has goes first. */
  #trim(): void {
    const idle = [...this.#shared.values()].filter(({ users }) => users === 0);
    for (const entry of idle.slice(0, Math.max(0, idle.length - IDLE_MAX))) this.#unload(entry);
  }

  #unload({ handle, text }: Entry): void {
    this.#entries.delete(handle);
    if (text !== undefined) this.#shared.delete(text);
    // What is unloaded may be running for somebody else: the driver would wait for it.
    this.#context.closeWhenQuiet(handle);
  }
}

function decode(ptx: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(ptx);
  } catch {
    throw new GpuError("loadModule", "CUDA_ERROR_INVALID_PTX", "the text is not UTF-8");
  }
}
