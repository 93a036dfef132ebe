/**
 * The work left: the global that ends every generated program.
 *
 * Owns the code that charges and checks it. Invariant: each function entry and each loop that is not counted
 * by a local of its own checks it, so no generated program runs forever.
 */
import type { Body } from "./body.ts";
import { constant } from "./numeric.ts";
import { WORK_GLOBAL } from "./plan.ts";
import { HEAP_BYTES, PRELUDE_INDEX, type Type } from "./value_type.ts";

/** Takes some work off what is left: nothing on the stack. */
export function chargeWork(body: Body, amount: number): void {
  body.op(0x23, WORK_GLOBAL);
  body.i32(amount);
  body.op(0x6b, 0x24, WORK_GLOBAL);
}

/** Charges, and returns simple values, or traps, when nothing is left. */
export function checkWork(body: Body, amount: number): void {
  chargeWork(body, amount);
  body.op(0x23, WORK_GLOBAL);
  body.i32(0);
  body.op(0x48, 0x04, 0x40);
  if (body.choices.oneIn(20)) body.op(0x00);
  else {
    for (const type of body.signature.results) simplest(body, type);
    body.op(0x0f);
  }
  body.op(0x0b);
}

/** Charges, and does something dear only if there is work left; `inner` leaves nothing. */
export function whileWorkLasts(body: Body, amount: number, inner: () => void): void {
  chargeWork(body, amount);
  body.op(0x23, WORK_GLOBAL);
  body.i32(0);
  body.op(0x4a);
  body.block(0x04, { params: [], results: [] }, { types: [], mayBranch: true }, inner);
}

/** The simplest value of a type: one value. */
export function simplest(body: Body, type: Type): void {
  switch (type) {
    case "i32":
    case "i64":
    case "f32":
    case "f64":
      return constant(body, type);
    case "v128":
      return body.op(0xfd, 12, ...Array<number>(16).fill(0));
    case "pointSure":
      return body.op(0xfb, 1, PRELUDE_INDEX.point);
    case "calleeSure":
      return body.op(0xd2, body.plan.importedCount);
    default:
      if (HEAP_BYTES.has(type)) body.refNull(type);
  }
}
