/**
 * Rows of operations of a warp that ask something of its lanes: vote, activemask, elect, bar.warp.sync (PTX ISA
 * 9.7.13).
 *
 * Owns their emission once the lanes are gathered; who is gathered is the driver's. Shuffles are shuffle.ts's,
 * comparisons and reductions reduce.ts's. Invariant: a lane that takes no part, or
 * is not among the members that a lane names, counts as if it did not exist.
 */
import type { PtxOperand } from "../ast.ts";
import type { Exchange } from "../emit/exchange.ts";
import type { Instruction } from "../kernel/ir.ts";
import { operandAt } from "./integer.ts";
import { REDUCE_ROWS } from "./reduce.ts";
import type { OpcodeRow } from "./row.ts";
import { unsupported } from "./row.ts";
import { SHUFFLE_ROWS } from "./shuffle.ts";

const VOTES = ["all", "any", "uni", "ballot"] as const;

function checkVote(i: Instruction): void {
  const mode = VOTES.find((each) => i.modifiers.includes(each));
  if (mode === undefined) throw unsupported(i, "expected .all, .any, .uni or .ballot");
  if (i.types[0] !== (mode === "ballot" ? "b32" : "pred")) throw unsupported(i, `the type of .${mode}`);
  if (i.modifiers.includes("sync") && i.operands.length !== 3) throw unsupported(i, "expected a membermask");
}

/** Writes to a local a bit for each lane whose predicate is true. */
function ballot(x: Exchange, operand: PtxOperand, into: number): void {
  const { code, emitter } = x;
  const byLane = (): void => {
    code.i32(0);
    code.set(into);
    x.forEachLane((lane) => {
      emitter.push(operand, "pred");
      code.get(lane);
      code.op("i32Shl");
      code.get(into);
      code.op("i32Or");
      code.set(into);
    });
  };
  const isNegated = operand.kind === "register" && operand.isNegated === true;
  const plain: PtxOperand = operand.kind === "register"
    ? { kind: "register", register: operand.register }
    : operand;
  if (!x.hasQuads(plain)) return byLane();
  x.ifWhole((warp) => {
    const register = warp.quadsOf(plain);
    if (register === undefined) return;
    warp.pushMask((quad) => {
      warp.push(register, quad);
      code.v128([0, 0, 0, 0]);
      code.op(isNegated ? "i32x4Eq" : "i32x4Ne");
    });
    code.set(into);
  }, byLane);
}

function emitVote(x: Exchange, i: Instruction): void {
  const { code } = x;
  const votes = code.temp("i32");
  ballot(x, operandAt(i, 1), votes);
  const isAll = (): void => {
    code.get(votes);
    code.get(x.who);
    code.op("i32Eq");
  };
  if (i.modifiers.includes("all")) {
    isAll();
    code.set(votes);
  } else if (i.modifiers.includes("any")) {
    code.get(votes);
    code.i32(0);
    code.op("i32Ne");
    code.set(votes);
  } else if (i.modifiers.includes("uni")) {
    isAll();
    code.get(votes);
    code.op("i32Eqz", "i32Or");
    code.set(votes);
  }
  x.setAll(operandAt(i, 0), i.types[0] ?? "b32", votes);
  code.release("i32", votes);
}

/** The lowest lane is elected: PTX asks only that it be the same one each time. */
function emitElect(x: Exchange, i: Instruction): void {
  const { code, emitter } = x;
  const target = operandAt(i, 0);
  const [d, p] = target.kind === "pair" ? [target.first, target.second] : [target, undefined];
  const leader = code.temp("i32");
  code.get(x.who);
  code.op("i32Ctz");
  code.set(leader);
  x.setAll(d, "b32", leader);
  if (p !== undefined) {
    x.forEachLane((lane) => {
      code.get(lane);
      code.get(leader);
      code.op("i32Eq");
      emitter.set(p, "pred");
    });
  }
  code.release("i32", leader);
}

export const WARP_ROWS: readonly OpcodeRow[] = [
  ...SHUFFLE_ROWS,
  ...REDUCE_ROWS,
  {
    name: "vote",
    types: [["pred", "b32"]],
    modifiers: [...VOTES, "sync"],
    operands: [2, 3],
    effect: "warp",
    lattice: "varying",
    check: checkVote,
    exchange: (x, i) => x.forEachTeam(i.operands[2], () => emitVote(x, i)),
    members: (e, i) => e.push(operandAt(i, 2), "b32"),
  },
  {
    name: "activemask",
    types: [["b32"]],
    operands: [1, 1],
    effect: "warp",
    lattice: "varying",
    note: "the lanes that are there together",
    exchange: (x, i) => x.setAll(operandAt(i, 0), "b32", x.who),
  },
  {
    name: "elect",
    types: [],
    modifiers: ["sync"],
    operands: [2, 2],
    effect: "warp",
    lattice: "varying",
    note: "the lowest lane",
    exchange: (x, i) => x.forEachTeam(i.operands[1], () => emitElect(x, i)),
    members: (e, i) => e.push(operandAt(i, 1), "b32"),
  },
  {
    name: "bar.warp",
    types: [],
    modifiers: ["sync"],
    ignored: ["warp"],
    operands: [1, 1],
    results: 0,
    effect: "warp",
    exchange: () => {},
    members: (e, i) => e.push(operandAt(i, 0), "b32"),
  },
];
