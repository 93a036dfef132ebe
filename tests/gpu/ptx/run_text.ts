/**
 * Runs a small PTX text on the CPU device and in the interpreter.
 *
 * Owns one launch of kernel `k`, whose first parameter is the address of a buffer of words, and the comparison
 * of the two outcomes. Invariant: the result is returned only if both agree, word for word, or in their error.
 */
import assert from "node:assert/strict";
import { createCpuDevice } from "../../../gpu/cpu/mod.ts";
import { GpuError } from "../../../gpu/mod.ts";
import type { Dim3 } from "../../../gpu/mod.ts";
import { parsePtx } from "../../../gpu/ptx/syntax/parser.ts";
import { interpretKernel } from "./interpreter/interpret.ts";

/** One launch. */
export interface TextRun {
  readonly block?: Partial<Dim3>;
  readonly grid?: Partial<Dim3>;
  /** The buffer's words before the launch. */
  readonly words: readonly number[];
  /** Parameters of 32 bits behind the buffer's address. */
  readonly values?: readonly number[];
  readonly sharedBytes?: number;
  /** Fuel after which a launch ends. */
  readonly fuelMax?: number;
}

/** The module around declarations and the kernels' bodies. */
export function moduleOf(text: string): string {
  return `.version 8.0\n.target sm_80\n.address_size 64\n${text}`;
}

/** A kernel of one body, with the registers that small tests need and the buffer's address in %rd0. */
export function kernelOf(body: string, { values = 0, before = "" } = {}): string {
  const more = Array.from({ length: values }, (_, index) => `, .param .u32 v${index}`).join("");
  return moduleOf(`${before}
.visible .entry k(.param .u64 buffer${more}) {
  .reg .pred %p<10>; .reg .b16 %h<10>; .reg .b32 %r<40>; .reg .b64 %rd<20>; .reg .f32 %f<10>; .reg .f64 %d<10>;
  ld.param.u64 %rd0, [buffer];
  ${body}
}`);
}

/** Runs both. @returns the buffer's words (unsigned), or the status of the error that both report */
export async function runText(ptx: string, run: TextRun): Promise<number[] | number> {
  const words = Uint32Array.from(run.words, (word) => word >>> 0);
  const block = { x: 1, y: 1, z: 1, ...run.block };
  const grid = { x: 1, y: 1, z: 1, ...run.grid };
  const sharedBytes = run.sharedBytes ?? 0;
  const fuelMax = run.fuelMax ?? 10_000_000;
  let left = fuelMax;
  using context = createCpuDevice().createContext({
    memoryBytesMax: 2 ** 20,
    print: () => {},
    pacer: {
      tick: (fuel) => ((left -= fuel), left < 0 ? -1 : 100_000),
      charge: () => {},
      wait: async (promise) => {
        await promise.catch(() => {});
      },
    },
  });
  const pointer = context.allocate(words.byteLength);
  await context.copyToDevice(pointer, new Uint8Array(words.buffer));
  const params = new Uint8Array(8 + 4 * (run.values?.length ?? 0));
  const view = new DataView(params.buffer);
  view.setBigUint64(0, pointer, true);
  run.values?.forEach((value, index) => view.setInt32(8 + 4 * index, value, true));
  const module = context.loadModule(new TextEncoder().encode(ptx));
  const kernel = module.kernels.get("k");
  assert.ok(kernel !== undefined);
  let failed: GpuError | undefined;
  try {
    await context.launch({ module, kernel, grid, block, sharedBytes, params });
    await context.synchronize();
  } catch (error) {
    if (!(error instanceof GpuError)) throw error;
    failed = error;
  }
  const memory = new Uint8Array(words.buffer.slice(0));
  const { status } = interpretKernel({
    module: parsePtx(ptx),
    kernel: "k",
    grid,
    block,
    sharedBytes,
    params,
    memory,
    memoryBase: pointer,
    fuelMax,
  });
  const wanted = status === "ok" ? undefined : status.error;
  assert.equal(failed?.status, wanted, `${failed?.message} compiled, ${JSON.stringify(status)} interpreted`);
  if (wanted !== undefined) return wanted;
  const got = new Uint8Array(words.byteLength);
  await context.copyFromDevice(got, pointer);
  const result = [...new Uint32Array(got.buffer)];
  assert.deepEqual(result, [...new Uint32Array(memory.buffer)]);
  return result;
}
