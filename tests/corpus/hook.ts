/**
 * withInstrumentation: runs a function while every module that is compiled goes through the instrumenter.
 *
 * Owns the patched entry points of the WebAssembly namespace and the record of what passed through them. It changes
 * nothing that a package can see of its own module: same exports under the same names, errors of the engine
 * for bytes that the engine refuses. Invariant: the namespace is restored whatever the function does.
 */
import { HOOKS, instrumentModule } from "../../runtime/wasm/instrument.ts";
import { featuresOf } from "./features.ts";
import { makeMeter, makeTick, type Meter } from "./tick.ts";

/** What was seen of one module. */
export interface ModuleRecord {
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  readonly instrumentMs: number;
  readonly features: readonly string[];
  readonly meter: Meter;
}

/** No clamp that an honest package of the corpus would meet. */
const OPTIONS = { memoryPagesMax: 65_536, tableElementsMax: 10_000_000 };

const native = {
  Module: WebAssembly.Module,
  Instance: WebAssembly.Instance,
  compile: WebAssembly.compile,
  compileStreaming: WebAssembly.compileStreaming,
  instantiate: WebAssembly.instantiate,
  instantiateStreaming: WebAssembly.instantiateStreaming,
  validate: WebAssembly.validate,
};

type Options = unknown;
type Imports = WebAssembly.Imports | undefined;

class Recorder {
  readonly records: ModuleRecord[] = [];
  readonly #byModule = new WeakMap<WebAssembly.Module, ModuleRecord>();
  readonly #tickCountMax: number;

  constructor(tickCountMax: number) {
    this.#tickCountMax = tickCountMax;
  }

  /** Compiles the instrumented form; the engine's own error comes first where it refuses the original. */
  compile(source: BufferSource, options: Options): WebAssembly.Module {
    const bytes = toBytes(source);
    if (!Reflect.apply(native.validate, WebAssembly, [bytes, options])) {
      return Reflect.construct(native.Module, [bytes, options]);
    }
    const startMs = performance.now();
    const instrumented = instrumentModule(bytes, OPTIONS);
    const instrumentMs = performance.now() - startMs;
    const module: WebAssembly.Module = Reflect.construct(native.Module, [instrumented, options]);
    const record = {
      bytesBefore: bytes.length,
      bytesAfter: instrumented.length,
      instrumentMs,
      features: featuresOf(bytes),
      meter: makeMeter(),
    };
    this.records.push(record);
    this.#byModule.set(module, record);
    return module;
  }

  instantiate(module: WebAssembly.Module, imports: Imports): WebAssembly.Instance {
    const instance = new native.Instance(module, imports);
    const record = this.#byModule.get(module);
    if (record === undefined) return instance;
    record.meter.instanceCount++;
    const tick = instance.exports[HOOKS.tick];
    if (!(tick instanceof WebAssembly.Global)) throw new Error("The instrumented module exports no tick");
    tick.value = makeTick(record.meter, this.#tickCountMax);
    const start = instance.exports[HOOKS.start];
    if (typeof start === "function") start();
    return instance;
  }
}

/**
 * Runs `body` with the WebAssembly namespace patched. Guests are stopped after `tickCountMax` ticks of a module.
 *
 * @returns what `body` returned and a record of every module it compiled
 */
export async function withInstrumentation<T>(
  tickCountMax: number,
  body: () => Promise<T>,
): Promise<{ result: T; records: readonly ModuleRecord[] }> {
  const recorder = new Recorder(tickCountMax);
  Object.assign(WebAssembly, makePatches(recorder));
  try {
    return { result: await body(), records: recorder.records };
  } finally {
    Object.assign(WebAssembly, native);
  }
}

function makePatches(recorder: Recorder): Record<string, unknown> {
  const compile = async (source: BufferSource, options?: Options): Promise<WebAssembly.Module> => {
    await Promise.resolve();
    return recorder.compile(source, options);
  };
  const instantiate = async (
    source: BufferSource | WebAssembly.Module,
    imports?: Imports,
    options?: Options,
  ): Promise<WebAssembly.Instance | WebAssembly.WebAssemblyInstantiatedSource> => {
    await Promise.resolve();
    if (source instanceof native.Module) return recorder.instantiate(source, imports);
    const module = recorder.compile(source, options);
    return { module, instance: recorder.instantiate(module, imports) };
  };
  return {
    compile,
    instantiate,
    compileStreaming: async (source: Response | Promise<Response>, options?: Options) =>
      await compile(await (await source).arrayBuffer(), options),
    instantiateStreaming: async (
      source: Response | Promise<Response>,
      imports?: Imports,
      options?: Options,
    ) => await instantiate(await (await source).arrayBuffer(), imports, options),
    validate: (source: BufferSource, options?: Options) => validates(recorder, source, options),
    Module: patchClass(native.Module, (source, options) => recorder.compile(toSource(source), options)),
    Instance: patchClass(
      native.Instance,
      (module, imports) =>
        recorder.instantiate(toModule(module), imports === undefined ? undefined : Object(imports)),
    ),
  };
}

/** What the engine says of the original; where it says yes, the instrumented form must compile too. */
function validates(recorder: Recorder, source: BufferSource, options: Options): boolean {
  const valid = Reflect.apply(native.validate, WebAssembly, [source, options]);
  if (valid && !featuresOf(toBytes(source)).includes("shared-memory")) recorder.compile(source, options);
  return valid;
}

/** A constructor that makes the real thing by another way; `instanceof` and static members keep working. */
function patchClass<T extends object>(
  original: { new (...values: never[]): T; prototype: T },
  construct: (first: unknown, second: unknown) => T,
): unknown {
  function Patched(first: unknown, second: unknown): T {
    return construct(first, second);
  }
  Object.setPrototypeOf(Patched, original);
  Object.defineProperty(Patched, "prototype", { value: original.prototype });
  return Patched;
}

function toSource(value: unknown): BufferSource {
  if (value instanceof ArrayBuffer) return value;
  if (ArrayBuffer.isView(value) && value.buffer instanceof ArrayBuffer) {
    return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  }
  throw new TypeError("A module is compiled from bytes");
}

function toBytes(source: BufferSource): Uint8Array<ArrayBuffer> {
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
}

function toModule(value: unknown): WebAssembly.Module {
  if (value instanceof native.Module) return value;
  throw new TypeError("An instance is made from a module");
}
