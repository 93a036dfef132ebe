/**
 * LaunchBlock: what cuLaunchKernel reads besides its own parameters.
 *
 * Owns one copy of a parameter block and the `extra` array that names it (CUDA Driver API, cuLaunchKernel): the
 * driver has copied both when the call returns, so one is enough for a thread. It launches nothing. Invariants:
 * addresses in the array are of buffers that this object keeps; a kernel without parameters has no array, as what
 * a driver makes of a block of no bytes is not said.
 */
import { LAUNCH_PARAM } from "./constants.ts";
import type { CudaSymbols } from "./symbols.ts";

/** Most bytes of a kernel's parameters (PTX ISA 4.4: from sm_70 on). */
const PARAM_BYTES_MAX = 32_764;

/** The address of a buffer that is not one of V8's small ones. */
export function addressOf(symbols: CudaSymbols, bytes: Uint8Array<ArrayBuffer>): bigint {
  return symbols.addressOf(bytes, bytes, 0n);
}

/** The block of one thread. */
export class LaunchBlock {
  readonly #params = new Uint8Array(new ArrayBuffer(PARAM_BYTES_MAX));
  readonly #size = new BigUint64Array(new ArrayBuffer(8));
  readonly #extra: BigUint64Array<ArrayBuffer>;
  readonly #extraBytes: Uint8Array<ArrayBuffer>;

  constructor(symbols: CudaSymbols) {
    const { CU_LAUNCH_PARAM_BUFFER_POINTER_AS_INT, CU_LAUNCH_PARAM_BUFFER_SIZE_AS_INT } = LAUNCH_PARAM;
    const words = [
      BigInt(CU_LAUNCH_PARAM_BUFFER_POINTER_AS_INT),
      addressOf(symbols, this.#params),
      BigInt(CU_LAUNCH_PARAM_BUFFER_SIZE_AS_INT),
      addressOf(symbols, new Uint8Array(this.#size.buffer)),
      BigInt(LAUNCH_PARAM.CU_LAUNCH_PARAM_END_AS_INT),
    ];
    this.#extra = new BigUint64Array(new ArrayBuffer(8 * words.length));
    this.#extra.set(words);
    this.#extraBytes = new Uint8Array(this.#extra.buffer);
  }

  /** The `extra` array for these parameters, good until it is asked for again; null if there are none. */
  fill(params: Uint8Array): Uint8Array<ArrayBuffer> | null {
    if (params.length === 0) return null;
    this.#params.set(params);
    this.#size[0] = BigInt(params.length);
    return this.#extraBytes;
  }
}
