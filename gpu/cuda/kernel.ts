/**
 * CudaKernel: a kernel of a loaded module, as its PTX declares it and as the driver compiled it.
 *
 * Owns the function handle, looked up when it is first needed, and how much dynamic shared memory it was allowed.
 * It launches nothing. Invariant: what the driver says of it is asked once.
 */
import type { Dim3, KernelInfo, KernelParam } from "../device.ts";
import { GpuError } from "../gpu_error.ts";
import type { PtxFunction } from "../ptx/ast.ts";
import { FUNCTION_ATTRIBUTE } from "./constants.ts";
import type { ModuleHandle } from "./handles.ts";
import { cString } from "./pointers.ts";
import type { FunctionPointer } from "./pointers.ts";

const THREADS_MAX = 1024;
/** Shared memory that a launch may have without asking: static and dynamic together. */
const SHARED_BYTES_DEFAULT = 48 * 1024;
/** PTX ISA 4.4: from sm_70 on. */
const PARAM_BYTES_MAX = 32_764;

/** A kernel. */
export class CudaKernel implements KernelInfo {
  readonly name: string;
  readonly params: readonly KernelParam[];
  readonly paramBytes: number;
  readonly requiredBlock: Dim3 | undefined;
  readonly #module: ModuleHandle;
  readonly #threadsMax: number;
  #function: FunctionPointer | undefined;
  readonly #attributes = new Map<number, number>();
  #dynamicSharedMax: number | undefined;

  /** @throws GpuError INVALID_PTX for parameters and directives that no device takes */
  constructor(module: ModuleHandle, source: PtxFunction) {
    this.#module = module;
    this.name = source.name;
    const placed = placeParams(source);
    this.params = placed.params;
    this.paramBytes = placed.byteLength;
    const required = source.directives.get("reqntid");
    const [x = 1, y = 1, z = 1] = required ?? [];
    this.requiredBlock = required === undefined ? undefined : { x, y, z };
    const bound = required ?? source.directives.get("maxntid");
    this.#threadsMax = bound?.reduce((product, extent) => product * extent, 1) ?? THREADS_MAX;
  }

  get sharedBytes(): number {
    return this.#attribute("CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES");
  }

  get localBytes(): number {
    return this.#attribute("CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES");
  }

  get threadsPerBlockMax(): number {
    return Math.min(this.#threadsMax, this.#attribute("CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK"));
  }

  /** Whether it is one of this module's. */
  isOf(module: ModuleHandle): boolean {
    return this.#module === module;
  }

  /** @throws GpuError */
  function(): FunctionPointer {
    if (this.#function !== undefined) return this.#function;
    const { parent, pointer } = this.#module;
    const { cell } = parent.driver;
    const status = parent.enter().cuModuleGetFunction(cell.bytes, pointer, cString(this.name));
    parent.check("cuModuleGetFunction", status, this.name);
    return this.#function = cell.pointer<"CUfunction">();
  }

  /** Lets a launch have so much dynamic shared memory: beyond the default a kernel must be told once. */
  allowDynamicShared(byteLength: number, sharedBytesMax: number): void {
    const { sharedBytes } = this;
    this.#dynamicSharedMax ??= SHARED_BYTES_DEFAULT - sharedBytes;
    if (byteLength <= this.#dynamicSharedMax) return;
    const most = sharedBytesMax - sharedBytes;
    const { parent } = this.#module;
    const attribute = FUNCTION_ATTRIBUTE.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
    const status = parent.enter().cuFuncSetAttribute(this.function(), attribute, most);
    parent.check("cuFuncSetAttribute", status, `${this.name}: ${most} bytes of shared memory`);
    this.#dynamicSharedMax = most;
  }

  #attribute(name: keyof typeof FUNCTION_ATTRIBUTE): number {
    const attribute = FUNCTION_ATTRIBUTE[name];
    const known = this.#attributes.get(attribute);
    if (known !== undefined) return known;
    const { parent } = this.#module;
    const { cell } = parent.driver;
    const pointer = this.function();
    parent.check(
      "cuFuncGetAttribute",
      parent.enter().cuFuncGetAttribute(cell.bytes, attribute, pointer),
      `${name} of ${this.name}`,
    );
    const value = cell.int();
    this.#attributes.set(attribute, value);
    return value;
  }
}

/** Each parameter at the next place that its alignment allows (PTX ISA, ".param" state space). */
function placeParams({ name, params }: PtxFunction): { params: KernelParam[]; byteLength: number } {
  let byteLength = 0;
  const placed = params.map((param) => {
    const alignment = Math.max(1, param.alignment);
    const offset = Math.ceil(byteLength / alignment) * alignment;
    byteLength = offset + param.byteLength;
    return { offset, byteLength: param.byteLength, type: param.type };
  });
  if (byteLength > PARAM_BYTES_MAX) {
    const text = `${name}: paramBytesMax is ${PARAM_BYTES_MAX}, got ${byteLength}`;
    throw new GpuError("loadModule", "CUDA_ERROR_INVALID_PTX", text);
  }
  return { params: placed, byteLength };
}
