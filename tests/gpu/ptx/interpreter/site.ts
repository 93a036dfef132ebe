/**
 * Site: one instruction while it is decoded.
 *
 * Owns the small questions that every opcode asks: which modifiers, which types, which slots. Steps that have
 * to run first (negated operands, clocks) gather in `before`. Invariant: whatever it cannot answer is an Error
 * that names the instruction and its line.
 */
import { isPtxType, type PtxInstruction, type PtxOperand, type PtxType } from "../../../../gpu/ptx/ast.ts";
import type { Machine } from "./machine.ts";
import type { Scope } from "./scope.ts";
import type { Step } from "./thread.ts";
import type { Views } from "./views.ts";

export class Site {
  readonly machine: Machine;
  readonly scope: Scope;
  readonly ins: PtxInstruction;
  /** Place in the program, rising with the instruction index. */
  readonly place: number;
  readonly before: Step[] = [];
  /** Modifiers that are types, in order. */
  readonly types: readonly PtxType[];
  readonly registers: Views;

  constructor(machine: Machine, scope: Scope, ins: PtxInstruction, place: number) {
    this.machine = machine;
    this.registers = machine.registers;
    this.scope = scope;
    this.ins = ins;
    this.place = place;
    this.types = ins.modifiers.filter(isPtxType);
  }

  get line(): number {
    return this.ins.line;
  }

  has(modifier: string): boolean {
    return this.ins.modifiers.includes(modifier);
  }

  /** The one of the words that the instruction has. */
  oneOf<T extends string>(words: readonly T[]): T | undefined {
    return words.find((each) => this.ins.modifiers.includes(each));
  }

  /** The type that the instruction works on: the last one. */
  get type(): PtxType {
    const type = this.types.at(-1);
    if (type === undefined) throw this.unknown("has no type");
    return type;
  }

  get count(): number {
    return this.ins.operands.length;
  }

  operand(index: number): PtxOperand {
    const operand = this.ins.operands[index];
    if (operand === undefined) throw this.unknown(`has no operand ${index}`);
    return operand;
  }

  /** Slot of a source operand. */
  source(index: number, type: PtxType = this.type): number {
    return this.read(this.operand(index), type);
  }

  read(operand: PtxOperand, type: PtxType): number {
    return this.scope.source(operand, type, this.before);
  }

  /** Slot of the destination, which is the first operand unless told. */
  target(index = 0): number {
    return this.write(this.operand(index));
  }

  write(operand: PtxOperand): number {
    if (operand.kind === "sink") return this.scope.scratch();
    if (operand.kind !== "register") throw this.unknown(`cannot write a ${operand.kind} operand`);
    return this.scope.slotOf(operand.register);
  }

  unknown(detail = "is not known to the interpreter"): Error {
    const { opcode, modifiers, line } = this.ins;
    return new Error(`line ${line}: ${[opcode, ...modifiers].join(".")} ${detail}`);
  }
}
