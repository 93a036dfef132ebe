/**
 * Support for the interpreter's tests: short kernels, run on a few bytes of memory.
 *
 * Owns the frame around a line or a body of PTX. Invariant: memory starts at one address, so that tests may
 * write it down.
 */
import { parsePtx } from "../../../gpu/ptx/syntax/parser.ts";
import { interpretKernel, type KernelRunResult } from "./interpreter/interpret.ts";

export const MEMORY_BASE = 0x7f00_0000_0000n;

/** A body, and how to run it. The kernel's one parameter `memory` is the address of the memory. */
export interface BodyRun {
  readonly body: string;
  /** What stands before the kernel: variables, functions. */
  readonly module?: string;
  readonly threads?: number;
  readonly blocks?: number;
  readonly sharedBytes?: number;
  readonly memory?: Uint8Array<ArrayBuffer>;
  readonly fuelMax?: number;
  readonly isReversed?: boolean;
}

export interface BodyResult extends KernelRunResult {
  readonly memory: Uint8Array<ArrayBuffer>;
  readonly words: Uint32Array<ArrayBuffer>;
  readonly printed: string;
}

/** Registers that bodies may use; `%base` holds the address of the memory, `%me` the thread's number. */
const REGISTERS = `
  .reg .pred %p<10>; .reg .b16 %h<10>; .reg .b32 %r<40>; .reg .b64 %d<20>; .reg .f32 %f<10>; .reg .f64 %g<10>;
  .reg .b32 %me; .reg .b64 %base, %own;
  ld.param.u64 %base, [memory]; mov.u32 %me, %tid.x; mad.wide.u32 %own, %me, 4, %base;`;

export function runBody(run: BodyRun): BodyResult {
  const memory = run.memory ?? new Uint8Array(1024);
  const text = `.version 8.3
.target sm_90
.address_size 64
${run.module ?? ""}
.visible .entry test(.param .u64 memory) {${REGISTERS}
${run.body}
}`;
  const params = new Uint8Array(8);
  new DataView(params.buffer).setBigUint64(0, MEMORY_BASE, true);
  let printed = "";
  const result = interpretKernel({
    module: parsePtx(text),
    kernel: "test",
    grid: { x: run.blocks ?? 1, y: 1, z: 1 },
    block: { x: run.threads ?? 1, y: 1, z: 1 },
    sharedBytes: run.sharedBytes ?? 0,
    params,
    memory,
    memoryBase: MEMORY_BASE,
    fuelMax: run.fuelMax ?? 1_000_000,
    isReversed: run.isReversed ?? false,
    print: (text) => printed += text,
  });
  return { ...result, memory, words: new Uint32Array(memory.buffer), printed };
}

/** Registers by the first letter of an operand's name: `r1` is 32 bits, `d1` 64, `h1` 16, `p1` a predicate. */
const WIDTHS: Readonly<Record<string, string>> = { r: "u32", d: "u64", h: "u16", f: "u32", g: "u64" };

/**
 * What instructions leave in a register, as unsigned bits. Inputs go to registers by name; floating-point ones
 * as their bits.
 */
export function evaluate(
  line: string,
  result: string,
  inputs: Readonly<Record<string, bigint | number>>,
): bigint {
  const memory = new Uint8Array(256);
  const view = new DataView(memory.buffer);
  const loads: string[] = [];
  for (const [index, [name, value]] of Object.entries(inputs).entries()) {
    const at = 64 + 16 * index;
    view.setBigUint64(at, BigInt.asUintN(64, BigInt(value)), true);
    if (name.startsWith("p")) loads.push(`ld.global.u32 %r39, [%base+${at}]; setp.ne.u32 %${name}, %r39, 0;`);
    else loads.push(`ld.global.${floatType(name) ?? WIDTHS[name.charAt(0)]} %${name}, [%base+${at}];`);
  }
  const store = result.startsWith("p")
    ? `selp.u32 %r39, 1, 0, %${result}; st.global.u32 [%base], %r39;`
    : `st.global.${floatType(result) ?? WIDTHS[result.charAt(0)]} [%base], %${result};`;
  const { status } = runBody({ body: `${loads.join("\n")}\n${line}\n${store}`, memory });
  if (status !== "ok") throw new Error(`${line}: ${status.detail}`);
  return view.getBigUint64(0, true);
}

function floatType(name: string): string | undefined {
  return name.startsWith("f") ? "f32" : name.startsWith("g") ? "f64" : undefined;
}
