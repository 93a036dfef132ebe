/**
 * A GpuContext whose kernels run in the tests' interpreter of parsed PTX, for the case table.
 *
 * Owns a flat memory with a bump allocator and where module variables lie in it. It has no streams and no
 * events, and is slow. Invariant: it shares nothing with the compiler but the parser, so that a case which
 * passes here and fails on a device is the device's fault.
 */
import type {
  GpuContext,
  GpuEvent,
  GpuModule,
  GpuStream,
  KernelInfo,
  KernelLaunch,
  KernelParam,
} from "../../../gpu/device.ts";
import { CUDA_STATUS, type CudaStatusName, GpuError } from "../../../gpu/gpu_error.ts";
import type { PtxFunction, PtxModule, PtxVariable } from "../../../gpu/ptx/ast.ts";
import { parsePtx } from "../../../gpu/ptx/syntax/parser.ts";
import { initializeGlobals, interpretKernel } from "../ptx/interpreter/interpret.ts";

const MEMORY_BASE = 0x7000_0000_0000n;
const ALIGNMENT = 256;

interface InterpretedModule extends GpuModule {
  readonly parsed: PtxModule;
  readonly globals: ReadonlyMap<string, bigint>;
}

/** A context with so much memory. */
export class InterpreterContext implements GpuContext {
  readonly #memory: Uint8Array<ArrayBuffer>;
  readonly #print: (text: string) => void;
  readonly #modules = new Map<GpuModule, InterpretedModule>();
  /** Sizes of what is allocated, by offset. */
  readonly #allocations = new Map<number, number>();

  constructor(memoryBytes: number, print: (text: string) => void) {
    this.#memory = new Uint8Array(memoryBytes);
    this.#print = print;
  }

  get allocatedBytes(): number {
    return [...this.#allocations.values()].reduce((sum, size) => sum + size, 0);
  }

  get residentBytes(): number {
    return this.#memory.length;
  }

  allocate(byteLength: number): bigint {
    const offset = this.#findGap(byteLength);
    this.#allocations.set(offset, byteLength);
    this.#memory.fill(0, offset, offset + byteLength);
    return MEMORY_BASE + BigInt(offset);
  }

  free(pointer: bigint): void {
    if (!this.#allocations.delete(Number(pointer - MEMORY_BASE))) {
      throw new GpuError("free", "CUDA_ERROR_INVALID_VALUE", "nothing was allocated there");
    }
  }

  copyToDevice(target: bigint, source: Uint8Array): undefined {
    this.#memory.set(source, Number(target - MEMORY_BASE));
  }

  copyFromDevice(target: Uint8Array, source: bigint): undefined {
    const offset = Number(source - MEMORY_BASE);
    target.set(this.#memory.subarray(offset, offset + target.length));
  }

  loadModule(ptx: Uint8Array): GpuModule {
    return this.loadParsed(parsePtx(new TextDecoder().decode(ptx)));
  }

  /** As loadModule(), of what was parsed before; nothing of it is changed. */
  loadParsed(parsed: PtxModule): GpuModule {
    const variables = parsed.variables.filter(({ space, byteLength }) =>
      (space === "global" || space === "const") && byteLength > 0
    );
    const globals = new Map(variables.map(({ name, byteLength }) => [name, this.allocate(byteLength)]));
    initializeGlobals(parsed, globals, this.#memory, MEMORY_BASE);
    const sizes = new Map(variables.map(({ name, byteLength }) => [name, byteLength]));
    const kernels = parsed.functions.filter(({ kind }) => kind === "entry").map(describeKernel);
    const module: InterpretedModule = {
      parsed,
      globals,
      kernels: new Map(kernels.map((kernel) => [kernel.name, kernel])),
      findGlobal: (name) => {
        const [pointer, byteLength] = [globals.get(name), sizes.get(name)];
        return pointer === undefined || byteLength === undefined ? undefined : { pointer, byteLength };
      },
      [Symbol.dispose]: () => {
        for (const pointer of globals.values()) this.free(pointer);
        this.#modules.delete(module);
      },
    };
    this.#modules.set(module, module);
    return module;
  }

  launch({ module, kernel, grid, block, sharedBytes, params }: KernelLaunch): undefined {
    const known = this.#modules.get(module);
    if (known === undefined) throw new GpuError("launch", "CUDA_ERROR_INVALID_HANDLE", "no such module");
    const { status } = interpretKernel({
      module: known.parsed,
      kernel: kernel.name,
      grid,
      block,
      sharedBytes,
      params,
      memory: this.#memory,
      memoryBase: MEMORY_BASE,
      globals: known.globals,
      print: this.#print,
    });
    if (status !== "ok") throw new GpuError("launch", nameOfStatus(status.error), status.detail);
  }

  synchronize(): undefined {}

  createStream(): GpuStream {
    throw unsupported("createStream");
  }
  createEvent(): GpuEvent {
    throw unsupported("createEvent");
  }
  recordEvent(): void {
    throw unsupported("recordEvent");
  }
  waitEvent(): void {
    throw unsupported("waitEvent");
  }
  queryEvent(): boolean {
    throw unsupported("queryEvent");
  }
  synchronizeEvent(): undefined {
    throw unsupported("synchronizeEvent");
  }
  elapsedMs(): number {
    throw unsupported("elapsedMs");
  }

  [Symbol.dispose](): void {
    this.#allocations.clear();
  }

  /** The first place that is free; addresses below the first allocation are never given out. */
  #findGap(byteLength: number): number {
    let at = ALIGNMENT;
    for (const [offset, size] of [...this.#allocations].sort(([a], [b]) => a - b)) {
      if (at + byteLength <= offset) break;
      at = Math.ceil((offset + size) / ALIGNMENT) * ALIGNMENT;
    }
    if (at + byteLength > this.#memory.length) {
      throw new GpuError("allocate", "CUDA_ERROR_OUT_OF_MEMORY", `${byteLength} bytes`);
    }
    return at;
  }
}

function unsupported(call: string): GpuError {
  return new GpuError(call, "CUDA_ERROR_NOT_SUPPORTED", "the interpreter has no streams");
}

function nameOfStatus(status: number): CudaStatusName {
  for (const [name, value] of Object.entries(CUDA_STATUS)) {
    if (value === status) return name as CudaStatusName;
  }
  return "CUDA_ERROR_UNKNOWN";
}

function describeKernel({ name, params }: PtxFunction): KernelInfo {
  const placed: KernelParam[] = [];
  let end = 0;
  for (const param of params) {
    const offset = Math.ceil(end / alignmentOf(param)) * alignmentOf(param);
    placed.push({ offset, byteLength: param.byteLength, type: param.type });
    end = offset + param.byteLength;
  }
  return {
    name,
    params: placed,
    paramBytes: end,
    sharedBytes: 0,
    localBytes: 0,
    threadsPerBlockMax: 1024,
    requiredBlock: undefined,
  };
}

function alignmentOf({ alignment }: PtxVariable): number {
  return Math.max(alignment, 1);
}
