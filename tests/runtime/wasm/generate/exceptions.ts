/**
 * Rules for exceptions: throwing, and catching in every way of the new and of the old instructions.
 *
 * Owns one tag with an i32 and an i64, and one without a value; a module has one of both families only.
 * Invariant: rules leave nothing, and are nothing where the module has no exceptions.
 */
import type { Body, Rule } from "./body.ts";
import { BLOCK, BR, discard, IF } from "./control.ts";
import { deadCode } from "./dead_code.ts";
import type { Type } from "./value_type.ts";

export const VALUE_TAG = 0;
export const EMPTY_TAG = 1;

const NOTHING = { params: [], results: [] };
const OUT = { types: [], mayBranch: true };
const PAYLOAD: readonly Type[] = ["i32", "i64"];

/** Throws if a condition holds. */
export const throws: Rule = (body, depth) => {
  const tag = body.choices.pick([VALUE_TAG, EMPTY_TAG]);
  body.value("i32", depth);
  body.block(IF, NOTHING, OUT, () => {
    if (tag === VALUE_TAG) body.values(PAYLOAD, depth);
    body.op(0x08, tag);
    deadCode(body);
  });
};

/** One try_table with one clause, whose values are taken behind it. */
const tryTable: Rule = (body, depth) => {
  const clause = body.choices.below(4);
  const isTagged = clause < 2;
  const withReference = clause % 2 === 1;
  const tag = body.choices.pick([VALUE_TAG, VALUE_TAG, EMPTY_TAG]);
  const caught: Type[] = [
    ...(isTagged && tag === VALUE_TAG ? PAYLOAD : []),
    ...(withReference ? ["exnref" as const] : []),
  ];
  body.block(BLOCK, NOTHING, OUT, () => {
    body.block(BLOCK, { params: [], results: caught }, { types: caught, mayBranch: true }, () => {
      body.op(0x1f, 0x40, 1, clause, ...(isTagged ? [tag] : []), 0);
      body.inside(OUT, () => {
        body.statements(depth);
        throws(body, depth - 1);
      });
      body.op(0x0b, BR, 1);
      deadCode(body);
    });
    if (withReference && body.choices.oneIn(4)) {
      body.op(0x0a);
      deadCode(body);
      return;
    }
    discard(body, caught);
    body.statements(depth);
  });
};

/** A loop around a try_table that catches to the head of the loop: a back edge that only a throw takes. */
const retry: Rule = (body, depth) => {
  body.block(BLOCK, NOTHING, OUT, () => {
    const counter = body.freshLocal("i32");
    body.i32(body.choices.between(1, 6));
    body.op(0x21);
    body.u(counter);
    body.block(0x03, NOTHING, { types: [], mayBranch: false }, () => {
      body.op(0x20);
      body.u(counter);
      body.op(0x45, 0x0d, 1, 0x20);
      body.u(counter);
      body.i32(-1);
      body.op(0x6a, 0x21);
      body.u(counter);
      body.op(0x1f, 0x40, 1, 2, 0);
      body.inside(OUT, () => {
        body.statements(depth);
        throws(body, depth);
      });
      body.op(0x0b);
    });
  });
};

/** Calls, round by round, a function that throws, and catches it: a small loop with a try inside. */
export const catchesCall: Rule = (body, depth) => {
  if (body.plan.exceptions === "none") return;
  const counter = body.freshLocal("i32");
  body.i32(body.choices.between(1, 5));
  body.op(0x21);
  body.u(counter);
  body.block(0x03, NOTHING, { types: [], mayBranch: false }, () => {
    const isModern = body.plan.exceptions === "modern";
    if (isModern) body.op(BLOCK, 0x40, 0x1f, 0x40, 1, 2, 0);
    else body.op(0x06, 0x40);
    const inner = (): void => body.value("i32", Math.min(depth, 1));
    body.inside(OUT, () => isModern ? body.inside(OUT, inner) : inner());
    body.op(0x10);
    body.u(body.plan.throwing);
    body.op(0x1a, ...(isModern ? [0x0b, 0x0b] : [0x19, 0x0b]), 0x20);
    body.u(counter);
    body.i32(-1);
    body.op(0x6a, 0x22);
    body.u(counter);
    body.op(0x0d, 0);
  });
};

/** An old try with any of its ends. */
const legacyTry: Rule = (body, depth) => {
  const end = body.choices.below(4);
  body.block(0x06, NOTHING, OUT, () => {
    body.statements(depth);
    throws(body, depth);
    if (end !== 1) {
      body.op(0x07, VALUE_TAG);
      discard(body, PAYLOAD);
      body.statements(depth);
      if (body.choices.oneIn(5)) rethrow(body, depth);
    }
    if (end > 0) {
      body.op(0x19);
      body.statements(depth);
      if (body.choices.oneIn(5)) rethrow(body, depth);
    }
  });
};

function rethrow(body: Body, depth: number): void {
  body.value("i32", depth);
  body.block(IF, NOTHING, OUT, () => {
    body.op(0x09, 1);
    deadCode(body);
  });
}

/** An old try that hands what is thrown to the try around, or to the caller. */
const delegating: Rule = (body, depth) => {
  body.block(0x06, NOTHING, OUT, () => {
    body.op(0x06, 0x40);
    body.inside(OUT, () => {
      body.statements(depth);
      throws(body, depth);
    });
    body.op(0x18, body.choices.oneIn(5) ? body.labels.length - 1 : 0);
    body.op(0x19);
    body.statements(depth);
  });
};

function when(style: string, rule: Rule): Rule {
  return (body, depth) => {
    if (body.plan.exceptions === style) rule(body, depth);
  };
}

/** The rules of statements that throw and catch. */
export const EXCEPTION_STATEMENTS: readonly Rule[] = [
  (body, depth) => {
    if (body.plan.exceptions !== "none" && body.choices.oneIn(4)) throws(body, depth);
  },
  when("modern", tryTable),
  when("modern", retry),
  catchesCall,
  when("legacy", legacyTry),
  when("legacy", delegating),
];
