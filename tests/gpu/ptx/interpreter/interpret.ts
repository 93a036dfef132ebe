/**
 * interpretKernel: runs a kernel of a parsed module, one instruction of one thread after the other.
 *
 * The oracle that compiled kernels are compared with. It shares nothing with the compiler but the parsed form,
 * and prefers the plainest reading of the PTX manual over speed. Invariant: the same inputs give the same
 * memory and the same status; blocks run in rising order, x first.
 */
import type { PtxFunction, PtxModule } from "../../../../gpu/ptx/ast.ts";
import { type FaultStatus, GuestFault } from "./fault.ts";
import { alignUp, Layout, type Placements } from "./layout.ts";
import { Machine, type MachineOptions } from "./machine.ts";
import { type FunctionCode, Program } from "./program.ts";
import { runBlock } from "./schedule.ts";
import type { Extent } from "./thread.ts";

/** A launch. */
export interface KernelRun {
  readonly module: PtxModule;
  readonly kernel: string;
  readonly grid: Extent;
  readonly block: Extent;
  /** Dynamic shared memory. */
  readonly sharedBytes: number;
  /** The parameter block, each parameter at its natural offset. */
  readonly params: Uint8Array;
  /** Device memory, which the kernel changes, and the address of its first byte, a multiple of 16. */
  readonly memory: Uint8Array;
  readonly memoryBase: bigint;
  /**
   * Addresses of module variables that lie in `memory`, already initialised (`initializeGlobals`). Others get
   * memory of their own, with their initial values, for the one launch.
   */
  readonly globals?: Placements;
  /** Instructions of threads before the launch ends with 702; a thousand million unless told. */
  readonly fuelMax?: number;
  /** Runs blocks, warps and lanes in falling order. Kernels without races do not notice. */
  readonly isReversed?: boolean;
  readonly print?: (text: string) => void;
}

/** How a launch ended. */
export type KernelStatus = "ok" | { readonly error: FaultStatus; readonly detail: string };

export interface KernelRunResult {
  readonly status: KernelStatus;
  /** Instructions of threads that ran. */
  readonly executed: number;
}

/** Frames of a thread in a module whose calls can nest without end. */
const NESTING_MAX = 24;
const FUEL_DEFAULT = 1e9;
/** What an H100 reserves of a block's shared memory. */
const RESERVED_BYTES = 1024;

/**
 * Runs the kernel to its end.
 *
 * @throws Error for instructions that the interpreter does not know, and for kernels that do not exist
 */
export function interpretKernel(run: KernelRun): KernelRunResult {
  const layout = new Layout(run.module, run.globals ?? new Map());
  const fn = layout.findFunction(run.kernel);
  if (fn?.body === undefined || fn.kind !== "entry") throw new Error(`No kernel ${run.kernel}`);
  // Views of a Uint8Array that does not start at a multiple of 8 are not possible.
  const isAligned = run.memory.byteOffset % 8 === 0;
  const memory = isAligned ? run.memory : run.memory.slice();
  const options = machineOptions(run, layout, memory);
  const sizes = frameSizes(new Program(new Machine({ ...options, block: { x: 0, y: 0, z: 0 } }), layout), fn);
  const machine = new Machine({ ...options, ...sizes });
  const program = new Program(machine, layout);
  const code = program.codeOf(fn);
  let status: KernelStatus = "ok";
  try {
    runGrid(program, code, run.grid, run.isReversed === true);
  } catch (error) {
    if (!(error instanceof GuestFault)) throw error;
    status = { error: error.status, detail: error.message };
  }
  if (!isAligned) run.memory.set(memory);
  return { status, executed: machine.executed };
}

/** Writes the initial values of module variables to where `globals` puts them in `memory`. */
export function initializeGlobals(
  module: PtxModule,
  globals: Placements,
  memory: Uint8Array,
  memoryBase: bigint,
): void {
  const layout = new Layout(module, globals);
  for (const variable of module.variables) {
    const address = globals.get(variable.name);
    if (address === undefined || variable.space === "shared") continue;
    const at = Number(address - memoryBase);
    layout.writeInitial(variable, memory.subarray(at, at + variable.byteLength));
  }
}

function machineOptions(run: KernelRun, layout: Layout, memory: Uint8Array): MachineOptions {
  const params = new Uint8Array(alignUp(Math.max(run.params.length, 8), 8));
  params.set(run.params);
  const sharedBytes = layout.dynamicSharedStart + run.sharedBytes;
  const reserved = asksForReserved(run.module) ? RESERVED_BYTES : 0;
  return {
    grid: run.grid,
    block: run.block,
    memory,
    memoryBase: run.memoryBase,
    params,
    sharedBytes: reserved === 0 ? sharedBytes : alignUp(sharedBytes, 16),
    dynamicSharedBytes: run.sharedBytes,
    reservedSharedBytes: reserved,
    localBytesPerThread: 0,
    slotsPerThread: 0,
    globals: layout.globals,
    constants: layout.constants,
    fuel: run.fuelMax ?? FUEL_DEFAULT,
    print: run.print ?? (() => {}),
  };
}

/** Whether any function names the reserved part of shared memory, which there is only then. */
function asksForReserved({ functions }: PtxModule): boolean {
  return functions.some(({ body }) =>
    body?.instructions.some(({ operands }) =>
      operands.some((each) => each.kind === "special" && each.name.startsWith("reserved_smem"))
    )
  );
}

/** Registers and local memory that a thread needs for the kernel and everything that it may call. */
function frameSizes(
  program: Program,
  kernel: PtxFunction,
): { slotsPerThread: number; localBytesPerThread: number } {
  program.codeOf(kernel);
  const direct = callsOf(program);
  const isEndless = direct === undefined || hasCycle(direct, kernel.name);
  if (direct === undefined) decodeAll(program);
  const codes = new Map(program.codes().map((code) => [code.name, code]));
  const sizes = { slotsPerThread: 0, localBytesPerThread: 0 };
  if (isEndless) {
    const largest = (of: (code: FunctionCode) => number): number => Math.max(...[...codes.values()].map(of));
    sizes.slotsPerThread = NESTING_MAX * largest((code) => code.slotCount);
    sizes.localBytesPerThread = NESTING_MAX * largest((code) => code.localBytes);
  } else {
    const deepest = (name: string, of: (code: FunctionCode) => number): number => {
      const code = codes.get(name);
      if (code === undefined) return 0;
      return of(code) + Math.max(0, ...[...(direct.get(name) ?? [])].map((callee) => deepest(callee, of)));
    };
    sizes.slotsPerThread = deepest(kernel.name, (code) => code.slotCount);
    sizes.localBytesPerThread = deepest(kernel.name, (code) => code.localBytes);
  }
  return sizes;
}

/** Callees by caller; undefined if there is an indirect call. */
function callsOf(program: Program): ReadonlyMap<string, ReadonlySet<string>> | undefined {
  const calls = new Map<string, Set<string>>();
  for (const { fn } of program.codes()) {
    const callees = new Set<string>();
    for (const { opcode, operands } of fn.body?.instructions ?? []) {
      if (opcode !== "call") continue;
      const callee = operands.find((each) => each.kind === "function" || each.kind === "register");
      if (callee?.kind !== "function") return undefined;
      callees.add(program.layout.findFunction(callee.name)?.name ?? callee.name);
    }
    calls.set(fn.name, callees);
  }
  return calls;
}

function hasCycle(calls: ReadonlyMap<string, ReadonlySet<string>>, start: string): boolean {
  const done = new Set<string>();
  const visit = (name: string, above: ReadonlySet<string>): boolean => {
    if (above.has(name)) return true;
    if (done.has(name)) return false;
    const inside = new Set([...above, name]);
    for (const callee of calls.get(name) ?? []) if (visit(callee, inside)) return true;
    done.add(name);
    return false;
  };
  return visit(start, new Set());
}

/** Decodes every function, any of which an indirect call may reach; those that cannot be are left alone. */
function decodeAll(program: Program): void {
  for (const fn of program.layout.functions()) {
    if (fn.body === undefined || fn.kind !== "func") continue;
    try {
      program.codeOf(fn);
    } catch {
      continue;
    }
  }
}

function runGrid(program: Program, code: FunctionCode, grid: Extent, isReversed: boolean): void {
  const count = grid.x * grid.y * grid.z;
  for (let turn = 0; turn < count; turn++) {
    const index = isReversed ? count - 1 - turn : turn;
    const x = index % grid.x;
    const y = Math.floor(index / grid.x) % grid.y;
    runBlock(program, code, { x, y, z: Math.floor(index / (grid.x * grid.y)) }, isReversed);
  }
}
