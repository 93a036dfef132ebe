/**
 * Rows of tensor cores: mma, wmma, ldmatrix, stmatrix, movmatrix (PTX ISA 9.7.14).
 *
 * Owns what is accepted; matrix/ has the emission. They are operations of a whole warp: with fewer than 32 lanes,
 * which PTX leaves undefined, the kernel ends with error 719. Invariant: sparse, block-scaled and quad-pair forms
 * (mma.m8n8k4 of f16), wgmma and tcgen05 are refused.
 */
import type { Exchange } from "../emit/exchange.ts";
import type { Instruction } from "../kernel/ir.ts";
import {
  checkDoubleMultiply,
  checkDoubleTransfer,
  emitDoubleMultiply,
  emitDoubleTransfer,
  isDouble,
} from "../matrix/double.ts";
import { checkMultiply, ELEMENT_TYPES, emitMultiply, SHAPES } from "../matrix/multiply.ts";
import { checkTile, emitLoadTile, emitMoveTile, emitStoreTile } from "../matrix/tile.ts";
import { checkTransfer, emitTransfer } from "../matrix/transfer.ts";
import type { OpcodeRow } from "./row.ts";
import { unsupported } from "./row.ts";

const LAYOUTS = ["row", "col"] as const;
const SYNC = ["sync", "aligned"] as const;
const SPACES = ["global", "shared", "shared::cta"] as const;

/** All lanes of the warp. */
const members: OpcodeRow["members"] = (e) => e.code.i32(-1);

function checkWmma(i: Instruction): void {
  const kinds = ["load", "store", "mma"].filter((word) => i.modifiers.includes(word));
  if (kinds.length !== 1) throw unsupported(i, "expected .load, .store or .mma");
  if (kinds[0] === "mma") {
    if (i.operands.length !== 4) throw unsupported(i, `expected 4 operands, got ${i.operands.length}`);
    if (isDouble(i)) checkDoubleMultiply(i);
    else checkMultiply(i);
  } else {
    if (i.operands.length > 3) throw unsupported(i, `expected 2 or 3 operands, got ${i.operands.length}`);
    if (isDouble(i)) checkDoubleTransfer(i);
    else checkTransfer(i);
  }
}

function emitWmma(x: Exchange, i: Instruction): void {
  if (i.modifiers.includes("mma")) return isDouble(i) ? emitDoubleMultiply(x, i) : emitMultiply(x, i);
  return isDouble(i) ? emitDoubleTransfer(x, i) : emitTransfer(x, i);
}

export const MATRIX_ROWS: readonly OpcodeRow[] = [
  {
    name: "mma",
    types: [],
    modifiers: [...SYNC, ...SHAPES, ...LAYOUTS, ...ELEMENT_TYPES, "satfinite", "xor", "and", "popc"],
    operands: [4, 4],
    effect: "warp",
    lattice: "varying",
    check: (i) => isDouble(i) ? checkDoubleMultiply(i) : checkMultiply(i),
    exchange: (x, i) => isDouble(i) ? emitDoubleMultiply(x, i) : emitMultiply(x, i),
    members,
  },
  {
    name: "wmma",
    types: [],
    modifiers: [
      ...["load", "store", "mma", "a", "b", "c", "d"],
      ...[...SYNC, ...SHAPES, ...LAYOUTS, ...SPACES, ...ELEMENT_TYPES, "satfinite", "xor", "and", "popc"],
    ],
    ignored: ["rn"],
    operands: [2, 4],
    results: (source) => source.modifiers.includes("store") ? 0 : 1,
    effect: "warp",
    lattice: "varying",
    check: checkWmma,
    exchange: emitWmma,
    members,
  },
  {
    name: "ldmatrix",
    types: [["b16"]],
    modifiers: [...SYNC, ...SPACES, "m8n8", "x1", "x2", "x4", "trans"],
    operands: [2, 2],
    effect: "warp",
    lattice: "varying",
    check: checkTile,
    exchange: emitLoadTile,
    members,
  },
  {
    name: "stmatrix",
    types: [["b16"]],
    modifiers: [...SYNC, ...SPACES, "m8n8", "x1", "x2", "x4", "trans"],
    operands: [2, 2],
    results: 0,
    effect: "warp",
    check: checkTile,
    exchange: emitStoreTile,
    members,
  },
  {
    name: "movmatrix",
    types: [["b16"]],
    modifiers: [...SYNC, "m8n8", "trans"],
    operands: [2, 2],
    effect: "warp",
    lattice: "varying",
    exchange: emitMoveTile,
    members,
  },
];
