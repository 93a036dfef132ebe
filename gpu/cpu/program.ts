/**
 * Program: one PTX text, parsed and linked, with its kernels prepared and compiled as they are asked for.
 *
 * Owns what contexts may share: it holds code and no data. Kernels are compiled for a block shape and for whether
 * parameters are aligned, at the first launch that needs it, and once when they are first asked for. Invariant: a
 * kernel that `info` describes can be launched with every shape that it allows.
 */
import type { KernelInfo } from "../device.ts";
import { GpuError } from "../gpu_error.ts";
import { compileInTurns, prepareInTurns } from "../ptx/compile.ts";
import type { CompiledKernel, PreparedKernel } from "../ptx/compile.ts";
import { isMultiplyAddFused } from "./fused.ts";
import type { BlockShape } from "../ptx/analysis/facts.ts";
import { linkModule } from "../ptx/kernel/link.ts";
import type { LinkedModule } from "../ptx/kernel/link.ts";
import { parsePtx } from "../ptx/syntax/parser.ts";
import type { SourcePlaces } from "../ptx/source_places.ts";
import { PtxError } from "../ptx/ptx_error.ts";
import { finish } from "../ptx/turns.ts";
import type { Turns } from "../ptx/turns.ts";

/** A kernel compiled for one shape, ready to be instantiated. */
export interface KernelCode extends CompiledKernel {
  readonly module: WebAssembly.Module;
}

/** Most variants of one kernel that are kept. */
const VARIANTS_MAX = 32;
const THREADS_MAX = 1024;

/** Of a device, what code depends on. */
export interface CodeTraits {
  /** Whether threads share the memory. */
  readonly isShared: boolean;
}

/** What a launch asks code for. */
export interface CodeShape {
  readonly block: BlockShape;
  readonly areParamsAligned: boolean;
}

/** A block shape that is compiled for at load, so that whatever cannot be compiled is refused there. */
const TRIAL_THREADS = 256;

/** A loaded PTX text. */
export class Program {
  readonly linked: LinkedModule;
  readonly names: readonly string[];
  readonly #prepared = new Map<string, PreparedKernel>();
  readonly #infos = new Map<string, KernelInfo>();
  readonly #variants = new Map<string, KernelCode>();

  readonly #traits: CodeTraits;

  /** @throws GpuError INVALID_PTX with the log */
  constructor(ptx: Uint8Array, traits: CodeTraits) {
    this.#traits = traits;
    let text: string;
    try {
      text = new TextDecoder("utf-8", { fatal: true }).decode(ptx);
    } catch {
      throw new GpuError("loadModule", "CUDA_ERROR_INVALID_PTX", "the text is not UTF-8");
    }
    this.linked = refusing(() => linkModule(parsePtx(text)));
    this.names = this.linked.source.functions
      .filter(({ kind, body }) => kind === "entry" && body !== undefined)
      .map(({ name }) => name);
    if (this.names.length === 0) {
      throw new GpuError("loadModule", "CUDA_ERROR_INVALID_PTX", "the module has no .entry");
    }
  }

  /** What a kernel is, or undefined if there is none of this name. @throws GpuError INVALID_PTX if it cannot be compiled */
  info(name: string): KernelInfo | undefined {
    return finish(this.infoInTurns(name));
  }

  /** As info. */
  *infoInTurns(name: string): Turns<KernelInfo | undefined> {
    const known = this.#infos.get(name);
    if (known !== undefined) return known;
    if (!this.names.includes(name)) return undefined;
    const info = describe(yield* this.#prepare(name));
    const block = info.requiredBlock ?? { x: Math.min(TRIAL_THREADS, info.threadsPerBlockMax), y: 1, z: 1 };
    yield* this.codeInTurns(name, { block, areParamsAligned: true });
    this.#infos.set(name, info);
    return info;
  }

  /** The code of a kernel for a shape. @throws GpuError INVALID_PTX if it is too large for this shape */
  code(name: string, shape: CodeShape): KernelCode {
    return finish(this.codeInTurns(name, shape));
  }

  /** As code. */
  *codeInTurns(name: string, shape: CodeShape): Turns<KernelCode> {
    const { x, y, z } = shape.block;
    const key = `${name} ${x} ${y} ${z} ${shape.areParamsAligned}`;
    const known = this.#variants.get(key);
    if (known !== undefined) return known;
    const prepared = yield* this.#prepare(name);
    const options = { ...shape, ...this.#traits, isFused: isMultiplyAddFused() };
    const { places } = this.linked.source;
    const compiled = yield* refusingInTurns(compileInTurns(prepared, options), places);
    const code = { ...compiled, module: new WebAssembly.Module(compiled.bytes) };
    const [oldest] = this.#variants.keys();
    if (this.#variants.size >= VARIANTS_MAX && oldest !== undefined) this.#variants.delete(oldest);
    this.#variants.set(key, code);
    return code;
  }

  *#prepare(name: string): Turns<PreparedKernel> {
    const known = this.#prepared.get(name);
    if (known !== undefined) return known;
    const source = this.linked.source.functions.find((fn) => fn.name === name && fn.body !== undefined);
    if (source === undefined) throw new GpuError("loadModule", "CUDA_ERROR_NOT_FOUND", `no entry ${name}`);
    const { places } = this.linked.source;
    const prepared = yield* refusingInTurns(prepareInTurns(this.linked, source), places);
    this.#prepared.set(name, prepared);
    return prepared;
  }
}

function* refusingInTurns<T>(work: Turns<T>, places: SourcePlaces): Turns<T> {
  try {
    return yield* work;
  } catch (error) {
    throw toRefusal(error, places);
  }
}

function toRefusal(error: unknown, places?: SourcePlaces): unknown {
  if (!(error instanceof PtxError)) return error;
  const place = places?.placeOf(error.line);
  const text = place === undefined ? error.message : `${error.message} (${place})`;
  return new GpuError("loadModule", "CUDA_ERROR_INVALID_PTX", text);
}

/** What the compiler refuses is an error of the device, with its log. */
function refusing<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw toRefusal(error);
  }
}

function describe({ kernel }: PreparedKernel): KernelInfo {
  const { directives, params } = kernel.source;
  const product = (list: readonly number[] | undefined): number =>
    list === undefined ? THREADS_MAX : list.reduce((product, extent) => product * extent, 1);
  const required = directives.get("reqntid");
  for (const name of ["reqntid", "maxntid"]) {
    const threads = product(directives.get(name));
    if (threads >= 1 && (name === "maxntid" || threads <= THREADS_MAX)) continue;
    const text = `${kernel.name}: .${name} is 1 to ${THREADS_MAX} threads, got ${threads}`;
    throw new GpuError("loadModule", "CUDA_ERROR_INVALID_PTX", text);
  }
  return {
    name: kernel.name,
    params: params.map((param) => ({
      offset: kernel.placements.get(param)?.offset ?? 0,
      byteLength: param.byteLength,
      type: param.type,
    })),
    paramBytes: kernel.paramBytes,
    sharedBytes: kernel.sharedBytes,
    localBytes: kernel.localBytes,
    threadsPerBlockMax: Math.min(THREADS_MAX, product(required ?? directives.get("maxntid"))),
    requiredBlock: required === undefined
      ? undefined
      : { x: required[0] ?? 1, y: required[1] ?? 1, z: required[2] ?? 1 },
  };
}

/** The compiler's way in (programs.ts). @throws GpuError INVALID_PTX */
export function compileProgram(ptx: Uint8Array, traits: CodeTraits): Program {
  return new Program(ptx, traits);
}
