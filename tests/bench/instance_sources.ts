/**
 * Where the bench of instances has its instances from: fresh, made ahead, reset, or fresh on a used memory.
 *
 * Owns the variants. They take part in the timing; calling and measuring is instance_load.ts. What a variant
 * would need to be safe for every guest is not here: tables, dropped segments and references are not put back.
 * Invariant: host functions work for the call that has the instance, never for one before.
 */
import type { GuestContext, GuestLogLevel, GuestLogSource } from "../../runtime/cell/guest_context.ts";
import type { HostFunctions } from "../../runtime/cell/guest_context.ts";
import { HOST_MODULES, openImports } from "../../runtime/cell/imports/mod.ts";
import type { CompiledModule } from "../../runtime/cell/instance.ts";
import { promising, suspendable } from "../../runtime/cell/jspi.ts";
import type { Outcome } from "../../runtime/model/outcome.ts";
import { HOOKS } from "../../runtime/wasm/instrument.ts";
import type { CallMeta } from "../../runtime/wire/messages.ts";
import { exportGlobals, GLOBAL_PREFIX, importMemory, MEMORY_IMPORT } from "./instance_modules.ts";

/** An exported function under `promising`. */
export type Run = (...args: unknown[]) => Promise<unknown>;

/** An instance with its tick in place and what is made of it once. */
export interface Ready {
  readonly exports: WebAssembly.Exports;
  readonly run: Run;
  readonly initialize: Run | undefined;
}

/** One variant. */
export interface Source {
  /** An instance whose host functions see `context`. */
  take(context: GuestContext): Ready;
  /** The call has returned; without this the instance is garbage. */
  give?(ready: Ready): void;
  /** A guest is parked; what it answers is called when the guest goes on. */
  parked?: () => () => void;
  /** What idle time would be used for: a stock of so many. */
  refill?(count: number): void;
}

/** What a variant is made for. */
export interface SourceOptions {
  /** The instrumented module. */
  readonly bytes: Uint8Array;
  readonly compiled: CompiledModule;
  readonly meta: CallMeta;
  readonly tick: WebAssembly.ExportValue;
}

/** Every variant by name. */
export const SOURCES: Readonly<Record<string, (options: SourceOptions) => Source>> = {
  fresh: (options) => ({
    take: (context) =>
      makeReady(options, options.compiled.module, openImports(options.compiled.imports, context)),
  }),
  shared: (options) => {
    const late = new LateImports(options.compiled.module);
    return {
      take: (context) => (late.enter(context), makeReady(options, options.compiled.module, late.imports)),
      parked: () => late.leave(),
    };
  },
  ahead: aheadSource,
  reset: resetSource,
  recycle: recycleSource,
};

function makeReady(
  { meta, tick }: SourceOptions,
  module: WebAssembly.Module,
  imports: WebAssembly.Imports,
): Ready {
  const { exports } = new WebAssembly.Instance(module, imports);
  (exports[HOOKS.tick] as WebAssembly.Global).value = tick;
  const initialize = meta.initialize ? promising(exports["_initialize"]) : undefined;
  return { exports, run: promising(exports[meta.export]), initialize };
}

/** Instances and their host functions made in idle time, each used once. */
function aheadSource(options: SourceOptions): Source {
  const { compiled } = options;
  const make = (): [Slot, Ready] => {
    const slot = new Slot();
    return [slot, makeReady(options, compiled.module, openImports(compiled.imports, slot))];
  };
  const stock: [Slot, Ready][] = [];
  return {
    refill: (count) => {
      while (stock.length < count) stock.push(make());
    },
    take: (context) => {
      const [slot, ready] = stock.pop() ?? make();
      slot.target = context;
      return ready;
    },
  };
}

/** What an instance is put back to. */
interface Snapshot {
  /** The memory after instantiation, up to its last byte that is not zero. */
  readonly image: Uint8Array;
  readonly memoryBytes: number;
  /** Mutable globals by the names of their exports. */
  readonly globals: readonly (readonly [name: string, value: unknown])[];
}

/** An instance again and again: memory and globals as they were after instantiation, tables as they are. */
function resetSource(options: SourceOptions): Source {
  const module = new WebAssembly.Module(exportGlobals(options.bytes));
  const pool: [LateImports, Ready][] = [];
  const inUse = new Map<Ready, LateImports>();
  let snapshot: Snapshot | undefined;
  return {
    take: (context) => {
      const [late, ready] = pool.pop() ?? makeLate(options, module);
      snapshot ??= takeSnapshot(ready);
      late.enter(context);
      inUse.set(ready, late);
      return ready;
    },
    give: (ready) => {
      const late = inUse.get(ready);
      inUse.delete(ready);
      if (late !== undefined && snapshot !== undefined && restore(ready, snapshot)) pool.push([late, ready]);
    },
  };
}

function makeLate(options: SourceOptions, module: WebAssembly.Module): [LateImports, Ready] {
  const late = new LateImports(module);
  return [late, makeReady(options, module, late.imports)];
}

function takeSnapshot(ready: Ready): Snapshot {
  const memory = memoryOf(ready);
  const globals: [string, unknown][] = [];
  for (const [name, exported] of Object.entries(ready.exports)) {
    if (name !== HOOKS.fuel && !name.startsWith(GLOBAL_PREFIX)) continue;
    const global = exported as WebAssembly.Global;
    if (isMutable(global)) globals.push([name, global.value]);
  }
  const image = memory.slice(0, memory.findLastIndex((byte) => byte !== 0) + 1);
  return { image, memoryBytes: memory.length, globals };
}

/** False if it cannot be put back: a memory does not shrink. */
function restore(ready: Ready, { image, memoryBytes, globals }: Snapshot): boolean {
  const memory = memoryOf(ready);
  if (memory.length !== memoryBytes) return false;
  memory.set(image);
  memory.fill(0, image.length);
  for (const [name, value] of globals) (ready.exports[name] as WebAssembly.Global).value = value;
  return true;
}

function isMutable(global: WebAssembly.Global): boolean {
  try {
    const { value } = global;
    global.value = value;
    return true;
  } catch {
    return false;
  }
}

/** A fresh instance on a memory that was used before and zeroed. */
function recycleSource(options: SourceOptions): Source {
  const imported = importMemory(options.bytes);
  if (imported === undefined) throw new Error("The guest has no memory");
  const module = new WebAssembly.Module(imported.bytes);
  const bytesMin = imported.type.initial * 65_536;
  const pool: WebAssembly.Memory[] = [];
  return {
    take: (context) => {
      const imports = openImports(options.compiled.imports, context);
      const memory = pool.pop() ?? new WebAssembly.Memory(imported.type);
      imports[MEMORY_IMPORT.module] = { [MEMORY_IMPORT.name]: memory };
      return makeReady(options, module, imports);
    },
    give: (ready) => {
      const memory = memoryOf(ready);
      if (memory.length !== bytesMin) return;
      memory.fill(0);
      pool.push(ready.exports[HOOKS.memory] as WebAssembly.Memory);
    },
  };
}

function memoryOf({ exports }: Ready): Uint8Array {
  const memory = exports[HOOKS.memory] as WebAssembly.Memory | undefined;
  return memory === undefined ? new Uint8Array(0) : new Uint8Array(memory.buffer);
}

/** Host functions of an instance that is used more than once; those of a call are made with its first one. */
class LateImports {
  readonly imports: WebAssembly.Imports = {};
  #context: GuestContext | undefined;
  #opened: Record<string, HostFunctions> = {};

  constructor(module: WebAssembly.Module) {
    for (const { module: moduleName, name } of WebAssembly.Module.imports(module)) {
      const hostModule = HOST_MODULES.find(({ names }) => names.includes(moduleName));
      if (hostModule === undefined) continue;
      const late = (...args: never[]): unknown => {
        if (this.#context === undefined) throw new Error("A host function without a call");
        const opened = this.#opened[moduleName] ??= hostModule.open(
          this.#context,
          Object.keys(hostModule.functions),
        );
        return opened[name]?.(...args);
      };
      const functions = this.imports[moduleName] ??= {};
      functions[name] = hostModule.suspending?.includes(name) ? suspendable(late) : late;
    }
  }

  enter(context: GuestContext): void {
    this.#context = context;
    this.#opened = {};
  }

  /** Another call may have the functions; what is answered gives them back. */
  leave(): () => void {
    const [context, opened] = [this.#context, this.#opened];
    return () => {
      this.#context = context;
      this.#opened = opened;
    };
  }
}

/** A context for host functions that are bound before their call is known. */
class Slot implements GuestContext {
  target: GuestContext | undefined;

  get #context(): GuestContext {
    if (this.target === undefined) throw new Error("A host function without a call");
    return this.target;
  }
  get input(): Uint8Array {
    return this.#context.input;
  }
  get args(): readonly string[] {
    return this.#context.args;
  }
  get environment(): readonly string[] {
    return this.#context.environment;
  }
  get fileBytesMax(): number {
    return this.#context.fileBytesMax;
  }
  get chunkBytesMax(): number {
    return this.#context.chunkBytesMax;
  }
  deadlineRemainingMs(): number {
    return this.#context.deadlineRemainingMs();
  }
  memory(): WebAssembly.Memory | undefined {
    return this.#context.memory();
  }
  gpu(): ReturnType<GuestContext["gpu"]> {
    return this.#context.gpu();
  }
  get isStream(): boolean {
    return this.#context.isStream;
  }
  writeOutput(bytes: Uint8Array): Promise<void> | undefined {
    return this.#context.writeOutput(bytes);
  }
  rejectChunk(): void {
    this.#context.rejectChunk();
  }
  setContentType(contentType: string): boolean {
    return this.#context.setContentType(contentType);
  }
  writeLog(source: GuestLogSource, level: GuestLogLevel, bytes: Uint8Array): void {
    this.#context.writeLog(source, level, bytes);
  }
  addSpanEvent(name: string): void {
    this.#context.addSpanEvent(name);
  }
  checkpoint(isOffered: boolean): Promise<void> | undefined {
    return this.#context.checkpoint(isOffered);
  }
  rest(): Promise<void> | undefined {
    return this.#context.rest();
  }
  sleep(durationMs: number): Promise<void> {
    return this.#context.sleep(durationMs);
  }
  cpuMs(): number {
    return this.#context.cpuMs();
  }
  stop(outcome: Outcome): never {
    return this.#context.stop(outcome);
  }
}
