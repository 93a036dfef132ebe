/**
 * Rows of control: branches, ends, traps, fences and what the device prints.
 *
 * Owns what the passes need to know of them; the shape of the control flow itself is made by structure.ts, and
 * gathering by the driver. Invariant: rows with effect `control` end a basic block and are emitted by nobody here.
 */
import type { Emitter } from "../emit/emitter.ts";
import type { Instruction } from "../kernel/ir.ts";
import { FAULT } from "../launch_record.ts";
import { operandAt } from "./integer.ts";
import type { OpcodeRow } from "./row.ts";

/** A fence: threads of a worker take turns, so only other workers need to see what was written. */
function emitFence(e: Emitter): void {
  if (e.parts.isShared) e.code.fence();
}

function emitPrint(e: Emitter, i: Instruction): void {
  e.push(operandAt(i, 0), "b64");
  e.push(operandAt(i, 1), "b64");
  e.code.call(e.parts.functions.print);
}

const FENCE_WORDS = [
  ...["cta", "cluster", "gpu", "sys", "gl", "sc", "acq_rel", "acquire", "release", "sync_restrict"],
  ...["proxy", "alias", "async", "global", "shared::cta", "shared::cluster", "mbarrier_init"],
];

export const CONTROL_ROWS: readonly OpcodeRow[] = [
  { name: "bra", types: [], ignored: ["uni"], operands: [1, 1], results: 0, effect: "control" },
  { name: "brx", types: [], ignored: ["idx", "uni"], operands: [2, 2], results: 0, effect: "control" },
  { name: "exit", types: [], operands: [0, 0], results: 0, effect: "control" },
  { name: "ret", types: [], ignored: ["uni"], operands: [0, 0], results: 0, effect: "control" },
  { name: "call", types: [], ignored: ["uni"], operands: [1, 4], results: 0, effect: "control" },
  {
    name: "trap",
    types: [],
    operands: [0, 0],
    results: 0,
    effect: "write",
    note: "error 719",
    scalar: (e, i) => e.fault(FAULT.launchFailed, i.line),
  },
  {
    name: "brkpt",
    types: [],
    operands: [0, 0],
    results: 0,
    effect: "pure",
    note: "does nothing",
    scalar: () => {},
  },
  {
    name: "pmevent",
    types: [],
    ignored: ["mask"],
    operands: [1, 1],
    results: 0,
    effect: "pure",
    scalar: () => {},
  },
  {
    name: "nanosleep",
    types: [["u32"]],
    operands: [1, 1],
    results: 0,
    effect: "pure",
    note: "does nothing",
    scalar: () => {},
  },
  {
    name: "membar",
    types: [],
    ignored: FENCE_WORDS,
    operands: [0, 0],
    results: 0,
    effect: "write",
    scalar: emitFence,
  },
  {
    name: "fence",
    types: [],
    ignored: FENCE_WORDS,
    operands: [0, 0],
    results: 0,
    effect: "write",
    scalar: emitFence,
  },
  {
    name: "setmaxnreg",
    types: [["u32"]],
    ignored: ["inc", "dec", "sync", "aligned"],
    operands: [1, 1],
    results: 0,
    effect: "pure",
    scalar: () => {},
  },
  {
    name: "griddepcontrol",
    types: [],
    ignored: ["launch_dependents", "wait"],
    operands: [0, 0],
    results: 0,
    effect: "pure",
    scalar: () => {},
  },
  { name: "$vprintf", types: [], operands: [2, 2], results: 0, effect: "write", scalar: emitPrint },
  {
    name: "$assertfail",
    types: [],
    operands: [5, 5],
    results: 0,
    effect: "write",
    scalar: (e, i) => e.fault(FAULT.assert, i.line),
  },
];
