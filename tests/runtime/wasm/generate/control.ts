/**
 * Rules for control: locals, globals, blocks, conditions, branches, and values that come out of them.
 *
 * Owns structured instructions except loops, calls and exceptions. Invariant: value rules leave one value,
 * statement rules nothing; a branch goes only to labels that allow it.
 */
import type { Body, Rule } from "./body.ts";
import { deadCode } from "./dead_code.ts";
import { GLOBAL_TYPES, WORK_GLOBAL } from "./plan.ts";
import { simplest } from "./work.ts";
import { HEAP_BYTES, type Type, TYPE_BYTES } from "./value_type.ts";

export const BLOCK = 0x02;
export const LOOP = 0x03;
export const IF = 0x04;
export const BR = 0x0c;
export const BR_IF = 0x0d;

const SIMPLE_TYPES: readonly Type[] = ["i32", "i64", "f32", "f64", "i32", "v128", "point", "externref"];

export function anyType(body: Body): Type {
  return body.choices.pick(SIMPLE_TYPES);
}

/** Pops values into locals or drops them, so that nothing is left of these types. */
export function discard(body: Body, types: readonly Type[]): void {
  for (const type of types.toReversed()) {
    const isNullable = !type.endsWith("Sure");
    if (isNullable && body.choices.oneIn(2)) {
      body.op(0x21);
      body.u(body.local(type));
    } else body.op(0x1a);
  }
}

/** The rules that leave a value of any type with a null or a zero. */
export function controlRules(type: Type): Rule[] {
  const rules: Rule[] = [localGet, localTee, blockValue, ifValue, selectValue, branchValue, manyResults];
  const globals = GLOBAL_TYPES.flatMap((global, index) =>
    global === type && index > WORK_GLOBAL ? [index] : []
  );
  if (globals.length > 0) {
    rules.unshift((body) => {
      body.op(0x23);
      body.u(body.choices.pick(globals));
    });
  }
  return rules.map((rule) => rule);

  function localGet(body: Body): void {
    body.op(0x20);
    body.u(body.local(type));
  }

  function localTee(body: Body, depth: number): void {
    body.value(type, depth);
    body.op(0x22);
    body.u(body.local(type));
  }

  function blockValue(body: Body, depth: number): void {
    body.block(BLOCK, { params: [], results: [type] }, { types: [type], mayBranch: true }, () => {
      body.statements(depth);
      body.value(type, depth);
    });
  }

  function ifValue(body: Body, depth: number): void {
    const signature = { params: [], results: [type] };
    body.value("i32", depth);
    body.block(IF, signature, { types: [type], mayBranch: true }, () => {
      body.statements(depth - 1);
      body.value(type, depth);
      body.op(0x05);
      body.value(type, depth);
    });
  }

  function selectValue(body: Body, depth: number): void {
    body.values([type, type, "i32"], depth);
    if (HEAP_BYTES.has(type) || body.choices.oneIn(3)) body.op(0x1c, 1, ...TYPE_BYTES[type]);
    else body.op(0x1b);
  }

  /** A br_if leaves its operands when it does not branch. */
  function branchValue(body: Body, depth: number): void {
    const depths = body.branchDepths([type]);
    body.value(type, depth);
    if (depths.length === 0) return;
    body.value("i32", depth);
    body.op(BR_IF);
    body.u(body.choices.pick(depths));
  }

  /** A block that takes values from outside and leaves several. */
  function manyResults(body: Body, depth: number): void {
    const params = [anyType(body), anyType(body)];
    const results = [type, anyType(body), anyType(body)];
    body.values(params, depth);
    body.block(BLOCK, { params, results }, { types: results, mayBranch: true }, () => {
      discard(body, params);
      body.values(results, depth);
    });
    discard(body, results.slice(1));
  }
}

const localSet: Rule = (body, depth) => {
  const type = anyType(body);
  body.value(type, depth);
  body.op(0x21);
  body.u(body.local(type));
};

const globalSet: Rule = (body, depth) => {
  const global = body.choices.between(WORK_GLOBAL + 1, GLOBAL_TYPES.length - 1);
  body.value(GLOBAL_TYPES[global] ?? "i32", depth);
  body.op(0x24);
  body.u(global);
};

const dropValue: Rule = (body, depth) => {
  body.value(anyType(body), depth);
  body.op(0x1a);
};

const block: Rule = (body, depth) => {
  body.block(
    BLOCK,
    { params: [], results: [] },
    { types: [], mayBranch: true },
    () => body.statements(depth),
  );
};

const condition: Rule = (body, depth) => {
  body.value("i32", depth);
  body.block(IF, { params: [], results: [] }, { types: [], mayBranch: true }, () => {
    body.statements(depth);
    if (body.choices.oneIn(2)) return;
    body.op(0x05);
    body.statements(depth);
  });
};

const branchIf: Rule = (body, depth) => {
  const target = body.choices.pick([...body.branchDepths(), -1]);
  if (target < 0) return;
  const { types } = body.labelAt(target);
  body.values(types, depth);
  body.value("i32", depth);
  body.op(BR_IF);
  body.u(target);
  discard(body, types);
};

/** A branch that is always taken, in a conditional so that not everything behind it is dead. */
const branch: Rule = (body, depth) => {
  body.value("i32", depth);
  body.block(IF, { params: [], results: [] }, { types: [], mayBranch: true }, () => {
    const target = body.choices.pick(body.branchDepths());
    const { types } = body.labelAt(target);
    // Operands below those of the branch are thrown away by it.
    if (body.choices.oneIn(4)) body.value(anyType(body), depth);
    body.values(types, depth);
    body.op(BR);
    body.u(target);
    deadCode(body);
  });
};

const branchTable: Rule = (body, depth) => {
  body.block(BLOCK, { params: [], results: [] }, { types: [], mayBranch: true }, () => {
    const first = body.choices.pick(body.branchDepths());
    const { types } = body.labelAt(first);
    const targets = body.branchDepths(types);
    const count = body.choices.below(6);
    body.values(types, depth);
    body.value("i32", depth);
    if (!body.choices.oneIn(4)) {
      body.i32(7);
      body.op(0x71);
    }
    body.op(0x0e);
    body.u(count);
    for (let index = 0; index <= count; index++) body.u(body.choices.pick(targets));
    deadCode(body);
  });
};

const returns: Rule = (body, depth) => {
  body.value("i32", depth);
  body.block(IF, { params: [], results: [] }, { types: [], mayBranch: true }, () => {
    body.values(body.signature.results, depth);
    body.op(0x0f);
    deadCode(body);
  });
};

const traps: Rule = (body, depth) => {
  if (!body.choices.oneIn(4)) return body.op(0x01);
  body.values(["i32", "i32"], depth);
  body.op(0x46);
  body.block(IF, { params: [], results: [] }, { types: [], mayBranch: true }, () => {
    body.op(0x00);
    deadCode(body);
  });
};

/** A whole block behind an unconditional branch, with the results it owes left to the dead code. */
const skipped: Rule = (body, depth) => {
  const result = anyType(body);
  body.block(BLOCK, { params: [], results: [result] }, { types: [result], mayBranch: true }, () => {
    body.value(result, depth);
    body.op(BR, 0);
    deadCode(body);
    if (body.choices.oneIn(2)) simplest(body, result);
  });
  body.op(0x1a);
};

/** The rules of statements on control. */
export const CONTROL_STATEMENTS: readonly Rule[] = [
  dropValue,
  localSet,
  localSet,
  globalSet,
  globalSet,
  block,
  condition,
  branchIf,
  branchIf,
  branch,
  branchTable,
  returns,
  traps,
  skipped,
];
