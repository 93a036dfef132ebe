/**
 * Rules for calls: direct, through tables, through references, and their tail forms.
 *
 * Owns the call opcodes. Recursion is free: every function checks the work at its entry. Invariant: value rules
 * leave one value, statement rules nothing.
 */
import type { Body, Rule } from "./body.ts";
import { discard, IF } from "./control.ts";
import { deadCode } from "./dead_code.ts";
import { addressConstant } from "./memory.ts";
import { CALLEE_TABLE, FUNCTION_TABLE, type Signature, TABLE_LENGTHS } from "./plan.ts";
import { PRELUDE_INDEX, type Type } from "./value_type.ts";

const CALL = 0x10;
const RETURN_CALL = 0x12;

/** Calls a function in one of the ways there are; arguments and results as its signature says. */
function call(body: Body, depth: number, index: number, base: number): void {
  const signature = signatureOf(body, index);
  body.values(signature.params, depth);
  const isCallee = signature.params.join() === "i32" && signature.results.join() === "i32";
  const way = body.choices.below(isCallee ? 4 : 2);
  if (way === 0) {
    body.op(base);
    body.u(index);
  } else if (way === 1) {
    // The table holds the functions in order, again and again.
    const isWrong = body.choices.oneIn(15);
    const length = TABLE_LENGTHS[FUNCTION_TABLE];
    const place = isWrong ? body.choices.below(length + 2) : index % length;
    addressConstant(body, body.plan.tableIs64, place);
    body.op(base + 1);
    body.u(body.plan.typeOf(signature));
    body.u(FUNCTION_TABLE);
  } else if (way === 2) {
    body.value(body.choices.oneIn(15) ? "callee" : "calleeSure", depth);
    body.op(base === CALL ? 0x14 : 0x15);
    body.u(PRELUDE_INDEX.callee);
  } else {
    body.i32(body.choices.below(TABLE_LENGTHS[CALLEE_TABLE] / 2));
    body.op(base + 1);
    body.u(PRELUDE_INDEX.callee);
    body.u(CALLEE_TABLE);
  }
}

function signatureOf(body: Body, index: number): Signature {
  const signature = body.plan.functions[index];
  if (signature === undefined) throw new RangeError(`There is no function ${index}`);
  return signature;
}

const callAndDiscard: Rule = (body, depth) => {
  const index = body.choices.below(body.plan.functions.length);
  call(body, depth, index, CALL);
  discard(body, signatureOf(body, index).results);
};

/** Calls the function itself or another, with the results of this one. */
const tailCall: Rule = (body, depth) => {
  const wanted = body.signature.results.join();
  const functions = body.plan.functionsWhere(({ results }) => results.join() === wanted);
  body.value("i32", depth);
  body.block(IF, { params: [], results: [] }, { types: [], mayBranch: true }, () => {
    call(body, depth, body.choices.pick(functions), RETURN_CALL);
    deadCode(body);
  });
};

const callAndTrap: Rule = (body, depth) => {
  body.value("i32", depth);
  body.i32(3);
  body.op(0x71, 0x45);
  body.block(IF, { params: [], results: [] }, { types: [], mayBranch: true }, () => {
    if (body.choices.oneIn(6)) {
      callAndDiscard(body, depth);
      body.op(0x00);
    } else callAndDiscard(body, depth);
  });
};

/** The rules of statements that call. */
export const CALL_STATEMENTS: readonly Rule[] = [
  callAndDiscard,
  callAndDiscard,
  callAndDiscard,
  tailCall,
  callAndTrap,
];

/** The rules that leave the only result of a call. */
export function callRules(type: Type): Rule[] {
  return [(body, depth) => {
    const functions = body.plan.functionsWhere(({ results }) => results.join() === type);
    if (functions.length === 0) return body.value(type, depth);
    call(body, depth, body.choices.pick(functions), CALL);
  }];
}
