/**
 * CudaModule: a PTX text loaded in a context.
 *
 * Owns what our own parser says of it (entries, parameters, variables) beside what the driver made of it. Code is
 * the driver's alone. Invariant: the text was accepted by both; once disposed it names nothing.
 */
import type { GpuModule, KernelInfo } from "../device.ts";
import { CUDA_STATUS, GpuError } from "../gpu_error.ts";
import type { PtxModule } from "../ptx/ast.ts";
import { parsePtx } from "../ptx/syntax/parser.ts";
import { PtxError } from "../ptx/ptx_error.ts";
import type { ModuleHandle } from "./handles.ts";
import { CudaKernel } from "./kernel.ts";
import { cString, OutCell } from "./pointers.ts";

/** Reads a text. @throws GpuError INVALID_PTX with the line */
export function readPtx(text: string): PtxModule {
  try {
    const source = parsePtx(text);
    if (source.functions.some(isEntry)) return source;
  } catch (error) {
    if (error instanceof PtxError) throw new GpuError("loadModule", "CUDA_ERROR_INVALID_PTX", error.message);
    throw error;
  }
  throw new GpuError("loadModule", "CUDA_ERROR_INVALID_PTX", "the module has no .entry");
}

/** Whether two loads of a text may be one: it has no variable that outlasts a launch. */
export function isStateless({ variables }: PtxModule): boolean {
  return !variables.some(({ space }) => space === "global" || space === "const");
}

function isEntry({ kind, body }: PtxModule["functions"][number]): boolean {
  return kind === "entry" && body !== undefined;
}

/** The kernels of a text in a loaded module. @throws GpuError INVALID_PTX */
export function kernelsOf(handle: ModuleHandle, source: PtxModule): ReadonlyMap<string, CudaKernel> {
  const kernels = source.functions.filter(isEntry).map((entry) => new CudaKernel(handle, entry));
  return new Map(kernels.map((kernel) => [kernel.name, kernel]));
}

/** What a module is made of. */
export interface ModuleParts {
  readonly handle: ModuleHandle;
  readonly kernels: ReadonlyMap<string, CudaKernel>;
  /** Whether its kernels print, into a buffer of the module. */
  readonly isPrinting: boolean;
}

/** What a module tells its context when it goes, and which variables of it were named. */
export interface ModuleOwner {
  /** A variable's address may be used from now on. */
  named(pointer: bigint, byteLength: number): void;
  /** Called once. */
  released(module: CudaModule): void;
}

/** A module of one context. */
export class CudaModule implements GpuModule {
  readonly handle: ModuleHandle;
  readonly kernels: ReadonlyMap<string, KernelInfo>;
  readonly isPrinting: boolean;
  /** Addresses that `findGlobal` has told. */
  readonly namedPointers = new Set<bigint>();
  readonly #owner: ModuleOwner;
  #isDisposed = false;

  constructor({ handle, kernels, isPrinting }: ModuleParts, owner: ModuleOwner) {
    this.handle = handle;
    this.kernels = kernels;
    this.isPrinting = isPrinting;
    this.#owner = owner;
  }

  get isDisposed(): boolean {
    return this.#isDisposed;
  }

  findGlobal(name: string): { readonly pointer: bigint; readonly byteLength: number } | undefined {
    if (this.#isDisposed) return undefined;
    const { parent, pointer } = this.handle;
    const { cell } = parent.driver;
    const size = new OutCell();
    const status = parent.enter().cuModuleGetGlobal(cell.bytes, size.bytes, pointer, cString(name));
    if (status === CUDA_STATUS.CUDA_ERROR_NOT_FOUND) return undefined;
    parent.check("findGlobal", status, name);
    const found = { pointer: cell.pointer<"CUdeviceptr">(), byteLength: size.size() };
    this.namedPointers.add(found.pointer);
    this.#owner.named(found.pointer, found.byteLength);
    return found;
  }

  [Symbol.dispose](): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    this.#owner.released(this);
  }
}
