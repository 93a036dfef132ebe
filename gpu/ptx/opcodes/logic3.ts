/**
 * lop3: any function of three bits, by its truth table (PTX ISA 9.7.8.6).
 *
 * Owns the search for a short formula: every table is `g op (c op' h)`, where g and h are functions of the other
 * two operands; the cheapest of these is emitted. Invariant: the formula's own table, computed from the tables
 * of its parts, is the one that was asked for.
 */
import type { Emitter } from "../emit/emitter.ts";
import type { Instruction } from "../kernel/ir.ts";
import { operandAt } from "./integer.ts";
import type { OpcodeRow } from "./row.ts";
import { unsupported } from "./row.ts";

/** Truth tables of the operands themselves. */
const OPERAND_TABLES = [0xf0, 0xcc, 0xaa] as const;

type BinaryName = "And" | "Or" | "Xor";

/** A formula: its operations in the order of a stack machine. */
type Step = "zero" | "ones" | BinaryName | 0 | 1 | 2;

interface Formula {
  readonly table: number;
  /** Operations count; operands and constants are nearly free. */
  readonly cost: number;
  readonly steps: readonly Step[];
}

function apply(name: BinaryName, a: number, b: number): number {
  return name === "And" ? a & b : name === "Or" ? a | b : a ^ b;
}

const OPERATION_COST = 10;
const ZERO: Formula = { table: 0, cost: 1, steps: ["zero"] };
const ONES: Formula = { table: 0xff, cost: 1, steps: ["ones"] };
const NAMES: readonly BinaryName[] = ["And", "Or", "Xor"];

/** The cheapest formula of each table that was put in. */
class Formulas {
  readonly #best: (Formula | undefined)[] = [];

  constructor(start: readonly Formula[]) {
    for (const formula of start) this.put(formula);
  }

  put(formula: Formula): void {
    const known = this.#best[formula.table];
    if (known === undefined || formula.cost < known.cost) this.#best[formula.table] = formula;
  }

  get(table: number): Formula | undefined {
    return this.#best[table];
  }

  all(): Formula[] {
    return this.#best.filter((formula) => formula !== undefined);
  }

  /** Puts in `a op b` for every pair. Most are no better than what is there, and not even made. */
  combine(left: readonly Formula[], right: readonly Formula[], names = NAMES): void {
    for (const a of left) {
      for (const b of right) {
        const cost = a.cost + b.cost + OPERATION_COST;
        for (const name of names) {
          const table = apply(name, a.table, b.table);
          const known = this.#best[table];
          if (known !== undefined && known.cost <= cost) continue;
          this.#best[table] = { table, cost, steps: [...a.steps, ...b.steps, name] };
        }
      }
    }
  }
}

function operandFormula(step: 0 | 1 | 2): Formula {
  return { table: OPERAND_TABLES[step], cost: 1, steps: [step] };
}

function search(): Formulas {
  const found = new Formulas([ZERO, ONES]);
  for (const [first, second, third] of [[0, 1, 2], [0, 2, 1], [1, 2, 0]] as const) {
    const [a, b, c] = [operandFormula(first), operandFormula(second), operandFormula(third)];
    // The 16 functions of two operands, each with a third operand, and that with one of the 16.
    const pair = new Formulas([ZERO, ONES, a, b]);
    pair.combine([a, b], [ONES], ["Xor"]);
    const literals = pair.all();
    pair.combine(literals, literals);
    pair.combine(pair.all(), [ONES], ["Xor"]);
    const part = new Formulas([...pair.all(), c]);
    part.combine(pair.all(), [c]);
    for (const formula of part.all()) found.put(formula);
    found.combine(pair.all(), part.all());
  }
  return found;
}

let formulas: Formulas | undefined;

/** The steps of a truth table. */
function formulaOf(table: number): readonly Step[] {
  formulas ??= search();
  const formula = formulas.get(table);
  if (formula === undefined) throw new Error("Invariant: every table has a formula");
  return formula.steps;
}

function tableOf(i: Instruction): number {
  const table = i.operands[4];
  if (table?.kind !== "integer" || table.value < 0n || table.value > 255n) {
    throw unsupported(i, "the truth table is a constant of 0 to 255");
  }
  return Number(table.value);
}

function checkLop3(i: Instruction): void {
  tableOf(i);
  const isCombined = i.modifiers.length > 0;
  if (isCombined !== (operandAt(i, 0).kind === "pair") || isCombined !== (i.operands.length === 6)) {
    throw unsupported(i, ".or and .and go with d|p and a predicate");
  }
}

function emitLop3(e: Emitter, i: Instruction): void {
  const { code } = e;
  for (const step of formulaOf(tableOf(i))) {
    if (step === "zero") code.i32(0);
    else if (step === "ones") code.i32(-1);
    else if (typeof step === "string") code.op(`i32${step}`);
    else e.push(operandAt(i, step + 1), "b32");
  }
  const target = operandAt(i, 0);
  if (target.kind !== "pair") return e.set(target, "b32");
  const result = code.temp("i32");
  code.tee(result);
  code.i32(0);
  code.op("i32Ne");
  e.push(operandAt(i, 5), "pred");
  code.op(i.modifiers.includes("or") ? "i32Or" : "i32And");
  e.set(target.second, "pred");
  code.get(result);
  e.set(target.first, "b32");
  code.release("i32", result);
}

export const LOGIC3_ROWS: readonly OpcodeRow[] = [
  {
    name: "lop3",
    types: [["b32"]],
    modifiers: ["or", "and"],
    operands: [5, 6],
    effect: "pure",
    check: checkLop3,
    scalar: emitLop3,
  },
];
