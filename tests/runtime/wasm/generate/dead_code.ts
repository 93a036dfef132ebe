/**
 * Code behind an unconditional branch, where the operand stack holds whatever is asked of it.
 *
 * Owns snippets that take operands which nobody left. Invariant: each leaves nothing, so any order of them is
 * valid before the end of a block.
 */
import type { Body } from "./body.ts";
import { CALLEE_TABLE } from "./plan.ts";
import { PRELUDE_INDEX } from "./value_type.ts";

type Snippet = (body: Body) => void;

const SNIPPETS: readonly Snippet[] = [
  (body) => body.op(0x01),
  (body) => body.op(0x1a),
  (body) => body.op(0x6a, 0x1a),
  (body) => body.op(0x1b, 0x1a),
  (body) => body.op(0x1c, 1, 0x7e, 0x1a),
  (body) => body.op(0x00),
  (body) => body.op(0x0f),
  (body) => {
    body.op(0x21);
    body.u(body.local("f32"));
  },
  // References of no known type.
  (body) => body.op(0xd4, 0x1a),
  (body) => body.op(0xd1, 0x1a),
  (body) => body.op(0xfb, 2, PRELUDE_INDEX.point, 0, 0x1a),
  (body) => body.op(0xfb, 16, PRELUDE_INDEX.ints),
  (body) => body.op(0x14, PRELUDE_INDEX.callee, 0x1a),
  (body) => {
    if (body.signature.results.join() === "i32") body.op(0x15, PRELUDE_INDEX.callee);
  },
  (body) => body.op(0x11, PRELUDE_INDEX.callee, CALLEE_TABLE, 0x1a),
  (body) => body.op(0x10, body.plan.importedCount, 0x1a),
  (body) => body.op(0xfd, 13, ...Array<number>(16).fill(3), 0x1a),
  (body) => body.op(0xfc, 11, 0),
  (body) => body.op(0xfc, 10, 0, 0),
  // Blocks whose parameters nobody left.
  (body) => {
    body.op(0x02);
    body.s(BigInt(body.plan.typeOf({ params: ["i32", "f64"], results: ["i32"] })));
    body.op(0x1a, 0x0b, 0x1a);
  },
  (body) => {
    body.op(0x03);
    body.s(BigInt(body.plan.typeOf({ params: ["i32"], results: ["i32"] })));
    body.op(0x45, 0x0b, 0x1a);
  },
  (body) => body.op(0x03, 0x40, 0x0c, 0, 0x0b),
  (body) => body.op(0x04, 0x7f, 0x41, 1, 0x05, 0x00, 0x0b, 0x1a),
  // Branches of every kind to the block around.
  (body) => {
    const types = body.labelAt(0).types;
    body.op(0x0c, 0);
    if (types.length === 0) body.op(0x0d, 0);
  },
  (body) => {
    body.op(0x0d, 0);
    for (const _ of body.labelAt(0).types) body.op(0x1a);
  },
  (body) => body.op(0x0e, 3, 0, 0, 0, 0),
  (body) => {
    if (body.labelAt(0).types.length === 0) body.op(0xd5, 0, 0x1a);
  },
  (body) => {
    const isOpen = body.labelAt(0).types.length === 0;
    if (body.plan.exceptions === "modern" && isOpen) body.op(0x1f, 0x40, 1, 2, 0, 0x0b, 0x0a);
    if (body.plan.exceptions === "legacy") body.op(0x06, 0x40, 0x19, 0x09, 0, 0x0b, 0x08, 0);
  },
];

/** A few snippets; more often none. */
export function deadCode(body: Body): void {
  if (!body.choices.oneIn(2)) return;
  for (let count = body.choices.between(1, 4); count > 0; count--) body.choices.pick(SNIPPETS)(body);
}
