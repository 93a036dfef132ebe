/**
 * Jit: PTX through the driver's compiler.
 *
 * Owns the options of cuModuleLoadDataEx and the buffer of the compiler's log. It parses nothing (module.ts does).
 * Invariant: what the compiler says of a text it refuses is in the error, line by line.
 */
import { JIT_OPTION } from "./constants.ts";
import type { DriverContext } from "./driver_context.ts";
import { ModuleHandle } from "./handles.ts";
import { addressOf } from "./launch_block.ts";
import { SUCCESS } from "./checked.ts";
import type { CudaSymbols } from "./symbols.ts";

const LOG_BYTES = 16 * 1024;
/** Two options: int each; their values: a word each, an address or a number in its place. */
const OPTION_COUNT = 2;

/** The compiler of the driver, with its log. */
export class Jit {
  readonly #log = new Uint8Array(new ArrayBuffer(LOG_BYTES));
  readonly #options = new Int32Array(new ArrayBuffer(4 * OPTION_COUNT));
  readonly #values = new BigUint64Array(new ArrayBuffer(8 * OPTION_COUNT));

  constructor(symbols: CudaSymbols) {
    const { CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES } = JIT_OPTION;
    this.#options.set([CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES]);
    this.#values[0] = addressOf(symbols, this.#log);
  }

  /** Compiles and loads a text. Holds the thread up: a context is current to one. @throws GpuError */
  load(context: DriverContext, ptx: Uint8Array): ModuleHandle {
    const { cell } = context.driver;
    const image = new Uint8Array(ptx.length + 1);
    image.set(ptx);
    this.#log.fill(0);
    // The driver writes how much of the log it used in its place.
    this.#values[1] = BigInt(LOG_BYTES);
    const status = context.enter().cuModuleLoadDataEx(
      cell.bytes,
      image,
      OPTION_COUNT,
      new Uint8Array(this.#options.buffer),
      new Uint8Array(this.#values.buffer),
    );
    if (status !== SUCCESS) throw context.failed("loadModule", status, this.#text());
    return new ModuleHandle(context, cell.pointer<"CUmodule">());
  }

  #text(): string {
    const end = this.#log.indexOf(0);
    const text = new TextDecoder().decode(this.#log.subarray(0, end < 0 ? LOG_BYTES : end)).trim();
    return text === "" ? "the driver's compiler gave no reason" : text;
  }
}
