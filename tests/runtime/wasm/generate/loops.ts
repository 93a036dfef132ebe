/**
 * Rules for loops: counted ones in the shapes that compilers write, and others that the work left ends.
 *
 * Owns every loop that is generated. A loop that its own counter ends cannot be branched to by anything else;
 * every other one checks the work at its head. Invariant: statement rules leave nothing, value rules one value.
 */
import type { Body, Rule } from "./body.ts";
import { anyType, BLOCK, BR, BR_IF, discard, LOOP } from "./control.ts";
import { deadCode } from "./dead_code.ts";
import { BULK_STATEMENTS } from "./memory.ts";
import type { Type } from "./value_type.ts";
import { chargeWork, checkWork } from "./work.ts";

const NOTHING = { params: [], results: [] };
const OUT = { types: [], mayBranch: true };
const CLOSED_HEAD = { types: [], mayBranch: false };

function get(body: Body, local: number): void {
  body.op(0x20);
  body.u(local);
}

function set(body: Body, local: number): void {
  body.op(0x21);
  body.u(local);
}

function branch(body: Body, opcode: number, depth: number): void {
  body.op(opcode);
  body.u(depth);
}

function addToLocal(body: Body, local: number, step: number): void {
  get(body, local);
  body.i32(step);
  body.op(0x6a);
}

/** Zeroes a fresh counter; loops may run again. */
function freshCounter(body: Body, start: number): number {
  const counter = body.freshLocal("i32");
  body.i32(start);
  set(body, counter);
  return counter;
}

/** What a loop does in a round; often so little that the loop makes no calls. */
function roundOf(body: Body, depth: number): void {
  body.statements(body.choices.oneIn(2) ? Math.min(depth, 1) : depth);
}

/** How often a counted loop turns: seldom where more loops may lie in it, so that nests stay short. */
function rounds(body: Body, depth: number, most: number): number {
  return body.choices.pick(depth > 0 ? [1, 2, 3] : [1, 5, most]);
}

/** do { … } while (++i < n) */
const countUp: Rule = (body, depth) => {
  const counter = freshCounter(body, 0);
  const end = rounds(body, depth, 40);
  const compare = body.choices.pick([0x48, 0x49, 0x47]);
  body.block(LOOP, NOTHING, CLOSED_HEAD, () => {
    chargeWork(body, 1);
    roundOf(body, depth);
    addToLocal(body, counter, 1);
    body.op(0x22);
    body.u(counter);
    body.i32(end);
    body.op(compare);
    branch(body, BR_IF, 0);
  });
};

/** while (i < n) { … i += step } with an inner block to continue from. */
const whileLoop: Rule = (body, depth) => {
  const counter = freshCounter(body, 0);
  const end = rounds(body, depth, 20);
  const step = body.choices.pick([1, 2, 4]);
  body.block(BLOCK, NOTHING, OUT, () =>
    body.block(LOOP, NOTHING, CLOSED_HEAD, () => {
      get(body, counter);
      body.i32(end);
      body.op(0x4e);
      branch(body, BR_IF, 1);
      body.block(BLOCK, NOTHING, OUT, () => roundOf(body, depth));
      addToLocal(body, counter, step);
      set(body, counter);
      branch(body, BR, 0);
      deadCode(body);
    }));
};

/** do { … } while (--i), of 64 bits. */
const countDown: Rule = (body, depth) => {
  const counter = body.freshLocal("i64");
  body.i64(BigInt(rounds(body, depth, 60)));
  set(body, counter);
  body.block(LOOP, NOTHING, CLOSED_HEAD, () => {
    roundOf(body, depth);
    get(body, counter);
    body.i64(1n);
    body.op(0x7d, 0x22);
    body.u(counter);
    body.op(0x50, 0x45);
    branch(body, BR_IF, 0);
  });
};

/** A tight loop without calls, which writes memory as it walks. */
export const walk: Rule = (body) => {
  const is64 = body.plan.memories[0]?.is64 ?? false;
  const counter = freshCounter(body, body.choices.below(64) * 4);
  body.block(LOOP, NOTHING, CLOSED_HEAD, () => {
    get(body, counter);
    if (is64) body.op(0xad);
    get(body, counter);
    body.value("i32", 2);
    body.op(0x73, 0x36, 0x02);
    body.u(16);
    addToLocal(body, counter, 4);
    body.op(0x22);
    body.u(counter);
    body.i32(body.choices.pick([4, 400, 4000]));
    body.op(0x49);
    branch(body, BR_IF, 0);
  });
};

/** A loop around one bulk instruction. */
export const bulkLoop: Rule = (body, depth) => {
  const counter = freshCounter(body, 0);
  body.block(LOOP, NOTHING, CLOSED_HEAD, () => {
    body.choices.pick(BULK_STATEMENTS)(body, Math.min(depth, 1));
    addToLocal(body, counter, 1);
    body.op(0x22);
    body.u(counter);
    body.i32(body.choices.pick([1, 3, 4]));
    body.op(0x48);
    branch(body, BR_IF, 0);
  });
};

/** A loop with an open head: whatever is inside may branch back to it. */
const openLoop: Rule = (body, depth) => {
  body.block(LOOP, NOTHING, { types: [], mayBranch: true }, () => {
    checkWork(body, 1);
    roundOf(body, depth);
    if (body.choices.oneIn(2)) return;
    body.value("i32", depth);
    branch(body, BR_IF, 0);
  });
};

/** Looks counted, but its counter is a local that the statements inside may assign. */
const tampered: Rule = (body, depth) => {
  const counter = body.local("i32");
  body.i32(0);
  set(body, counter);
  body.block(LOOP, NOTHING, { types: [], mayBranch: true }, () => {
    checkWork(body, 1);
    roundOf(body, depth);
    addToLocal(body, counter, 1);
    body.op(0x22);
    body.u(counter);
    body.i32(10);
    body.op(0x48);
    branch(body, BR_IF, 0);
  });
};

/** Back edges out of a branch table, a null check or a cast. */
export const oddBackEdge: Rule = (body, depth) => {
  const kind = body.choices.below(4);
  body.block(BLOCK, NOTHING, OUT, () =>
    body.block(LOOP, NOTHING, { types: [], mayBranch: true }, () => {
      checkWork(body, 2);
      roundOf(body, depth);
      if (kind === 0) {
        body.value("i32", depth);
        body.i32(3);
        body.op(0x71, 0x0e, 3, 0, 1, ...body.choices.pick([[0, 1], [1, 0], [0, 0]]));
        deadCode(body);
      } else if (kind === 1) {
        body.value("point", depth);
        body.op(0xd5, 0, 0x1a);
      } else if (kind === 2) {
        body.value("point", depth);
        body.op(0xd1, 0x04, 0x40, 0x0c, 1, 0x0b);
      } else {
        body.value("i32", depth);
        body.op(0x04, 0x40, 0x05, 0x0c, 1, 0x0b);
      }
    }));
};

/** Loops one in another, whose inner ones continue the outer ones. */
const nest: Rule = (body, depth) => {
  const levels = body.choices.between(2, 3);
  const level = (left: number): void => {
    if (left === 0) return roundOf(body, depth - 1);
    body.block(LOOP, NOTHING, { types: [], mayBranch: true }, () => {
      checkWork(body, 1);
      level(left - 1);
      body.value("i32", depth - 1);
      branch(body, BR_IF, body.choices.below(levels - left + 1));
    });
  };
  level(levels);
};

/** A loop whose body always leaves, so that it runs once. */
const runsOnce: Rule = (body, depth) => {
  body.block(LOOP, NOTHING, CLOSED_HEAD, () => {
    roundOf(body, depth);
    const outside = body.branchDepths([]).filter((target) => target > 0);
    if (outside.length === 0) return;
    branch(body, BR, body.choices.pick(outside));
    deadCode(body);
  });
};

/** The rules of statements that loop. */
export const LOOP_STATEMENTS: readonly Rule[] = [
  countUp,
  countUp,
  whileLoop,
  countDown,
  walk,
  bulkLoop,
  openLoop,
  openLoop,
  tampered,
  oddBackEdge,
  nest,
  runsOnce,
];

/** A loop that carries values: its back edge takes a counter and a value, its end leaves the value. */
export function loopRules(type: Type): Rule[] {
  const carrying: Rule = (body, depth) => {
    const counter = body.freshLocal("i32");
    const carried = [type, "i32"] as const;
    body.value(type, depth);
    body.i32(rounds(body, depth, 9));
    body.block(LOOP, { params: carried, results: [type] }, { types: carried, mayBranch: false }, () => {
      set(body, counter);
      if (body.choices.oneIn(2)) {
        discard(body, [type]);
        roundOf(body, depth);
        body.value(type, depth);
      }
      addToLocal(body, counter, -1);
      addToLocal(body, counter, -1);
      branch(body, BR_IF, 0);
      body.op(0x1a);
    });
  };
  const openCarrying: Rule = (body, depth) => {
    const params = [type, anyType(body)];
    body.values(params, depth);
    body.block(LOOP, { params, results: [type] }, { types: params, mayBranch: true }, () => {
      checkWork(body, 2);
      discard(body, params.slice(1));
      discard(body, [type]);
      roundOf(body, depth);
      body.value(type, depth);
    });
  };
  return [carrying, openCarrying];
}
