/**
 * OpcodeRow: what one line of the opcode table says.
 *
 * Owns the form of the table, which is the single truth about an opcode: what is accepted, what it does to
 * registers and memory, how the uniformity lattice passes through it, how it is emitted for one thread, and
 * (when the vector body comes) for several. It holds no opcode itself. Invariant: an instruction that `accept`
 * takes can be emitted; what cannot is refused there, with the line.
 */
import type { PtxInstruction, PtxOperand, PtxType } from "../ast.ts";
import { isPtxType } from "../ast.ts";
import type { Emitter } from "../emit/emitter.ts";
import type { Exchange } from "../emit/exchange.ts";
import type { Instruction } from "../kernel/ir.ts";
import { PtxError } from "../ptx_error.ts";

/** What an instruction does besides writing its results. */
export type OpcodeEffect =
  /** Nothing: the result depends on the operands alone. */
  | "pure"
  /** Reads memory, or something else that changes. */
  | "read"
  | "write"
  /** Exchanges values among the lanes of a warp: threads are gathered there. */
  | "warp"
  /** Threads of a block wait for each other. */
  | "barrier"
  /** Ends a basic block. */
  | "control";

/** How uniformity and strides pass from operands to result. */
export type LatticeRule =
  /** The result is as varying as its operands, and nothing is known of its stride. */
  | "join"
  /** As join; strides add, subtract, multiply by a constant or stay. */
  | "add"
  | "sub"
  | "mul"
  | "mad"
  | "shl"
  | "copy"
  | "convert"
  /** A result that may differ from thread to thread, whatever the operands. */
  | "varying";

/** One opcode. */
export interface OpcodeRow {
  readonly name: string;
  /** Accepted types: for each type modifier in order, the list of what may stand there. */
  readonly types: readonly (readonly PtxType[])[];
  /** Type modifiers that may be missing, counted from the last. */
  readonly optionalTypes?: number;
  /** Other modifiers that are understood, and those that change nothing here and are passed over. */
  readonly modifiers?: readonly string[];
  readonly ignored?: readonly string[];
  /** Fewest and most operands. */
  readonly operands: readonly [min: number, max: number];
  /** How many of the leading operands are results; 1 unless said. Where it depends on the modifiers, how. */
  readonly results?: number | ((source: PtxInstruction) => number);
  readonly effect: OpcodeEffect;
  readonly lattice?: LatticeRule;
  /** Refuses, by throwing PtxError, what the lists alone cannot say. */
  readonly check?: (instruction: Instruction) => void;
  /** Emits the instruction for one thread. Absent for control flow and for what is done by the driver. */
  readonly scalar?: (emitter: Emitter, instruction: Instruction) => void;
  /** Emits what lanes do together once they are gathered (effect `warp`). */
  readonly exchange?: (exchange: Exchange, instruction: Instruction) => void;
  /**
   * Pushes the membermask of the thread: the lanes that it waits for. Absent for an operation that takes
   * whoever is there; of an instruction, ask `membersOf`.
   */
  readonly members?: (emitter: Emitter, instruction: Instruction) => void;
  /** For the table in docs/gpu.md. */
  readonly note?: string;
}

/** Words that only say how memory is cached or ordered, and that mean nothing to a CPU's memory. */
const CACHE_WORD = /^(L1::|L2::|level::)/;

/** The instruction as the table has it. @throws PtxError naming opcode, modifier or operand, and the line */
export function accept(row: OpcodeRow, source: PtxInstruction, operands: readonly PtxOperand[]): Instruction {
  const types: PtxType[] = [];
  const modifiers: string[] = [];
  const full = [source.opcode, ...source.modifiers].join(".");
  for (const word of source.modifiers) {
    if (isPtxType(word) && !(row.modifiers?.includes(word) ?? false)) {
      const allowed = row.types[types.length];
      if (allowed === undefined || !allowed.includes(word)) {
        throw new PtxError(source.line, "unsupported", `${full}: type .${word} is not supported here`);
      }
      types.push(word);
    } else if (row.modifiers?.includes(word) ?? false) modifiers.push(word);
    else if (!(row.ignored?.includes(word) ?? false) && !CACHE_WORD.test(word)) {
      throw new PtxError(source.line, "unsupported", `${full}: modifier .${word} is not supported`);
    }
  }
  if (types.length < row.types.length - (row.optionalTypes ?? 0)) {
    throw new PtxError(
      source.line,
      "syntax",
      `${full}: expected ${row.types.length} types, got ${types.length}`,
    );
  }
  const [min, max] = row.operands;
  if (operands.length < min || operands.length > max) {
    const expected = min === max ? `${min}` : `${min} to ${max}`;
    throw new PtxError(
      source.line,
      "syntax",
      `${full}: expected ${expected} operands, got ${operands.length}`,
    );
  }
  const results = typeof row.results === "function" ? row.results(source) : row.results ?? 1;
  const defs: number[] = [];
  const uses: number[] = [];
  operands.forEach((operand, index) => {
    if (index < results) collectResults(operand, defs, uses, source.line, full);
    else collectUses(operand, uses);
  });
  if (source.guard !== undefined) uses.push(source.guard.register);
  const instruction = { line: source.line, guard: source.guard, row, types, modifiers, operands, defs, uses };
  row.check?.(instruction);
  return instruction;
}

function collectResults(
  operand: PtxOperand,
  defs: number[],
  uses: number[],
  line: number,
  full: string,
): void {
  switch (operand.kind) {
    case "register":
      defs.push(operand.register);
      return;
    case "sink":
      return;
    case "pair":
      collectResults(operand.first, defs, uses, line, full);
      collectResults(operand.second, defs, uses, line, full);
      return;
    case "vector":
      for (const element of operand.elements) collectResults(element, defs, uses, line, full);
      return;
    default:
      throw new PtxError(line, "syntax", `${full}: the result must be a register, got ${operand.kind}`);
  }
}

function collectUses(operand: PtxOperand, uses: number[]): void {
  switch (operand.kind) {
    case "register":
      uses.push(operand.register);
      return;
    case "address":
      if (operand.base.kind === "register") uses.push(operand.base.register);
      return;
    case "vector":
    case "list":
      for (const element of operand.elements) collectUses(element, uses);
      return;
    case "pair":
      collectUses(operand.first, uses);
      collectUses(operand.second, uses);
  }
}

/** The error for what is valid PTX but not done here. */
export function unsupported(instruction: Instruction, what: string): PtxError {
  return new PtxError(instruction.line, "unsupported", `${nameOf(instruction)}: ${what}`);
}

/** How the membermask is pushed; undefined for an operation that takes whoever is there. */
export function membersOf(instruction: Instruction): ((emitter: Emitter) => void) | undefined {
  const { members } = instruction.row;
  // Without .sync (before sm_70) an operation of that name names no members.
  if (members === undefined || !instruction.modifiers.includes("sync")) return undefined;
  return (emitter) => members(emitter, instruction);
}

/** Opcode with its modifiers, for messages. */
export function nameOf({ row, modifiers, types }: Instruction): string {
  return [row.name, ...modifiers, ...types].join(".");
}

/** Integer types by width, and lists that many rows share. */
export const TYPES = {
  int16: ["u16", "s16"],
  int: ["u16", "s16", "u32", "s32", "u64", "s64"],
  int32: ["u32", "s32"],
  int3264: ["u32", "s32", "u64", "s64"],
  bits: ["b16", "b32", "b64"],
  bitsAndPred: ["pred", "b16", "b32", "b64"],
  float: ["f32", "f64"],
  half: ["f16", "f16x2", "bf16", "bf16x2"],
} as const satisfies Record<string, readonly PtxType[]>;
