/**
 * Rules for programs that never end by themselves: one for each kind of cycle that control can take.
 *
 * Owns the cycles; what happens in a round is up to the other rules, so a trap or an exception may end one.
 * Every cycle must pass a check of an instrumented module. Invariant: rules leave nothing on the stack.
 */
import type { Body, Rule } from "./body.ts";
import { BLOCK, IF, LOOP } from "./control.ts";
import { EMPTY_TAG } from "./exceptions.ts";
import { addressConstant } from "./memory.ts";
import { FUNCTION_TABLE } from "./plan.ts";
import { PRELUDE_INDEX } from "./value_type.ts";
import { simplest } from "./work.ts";

const NOTHING = { params: [], results: [] };
const CLOSED = { types: [], mayBranch: false };
const ROUND_DEPTH = 2;
const CALL = 0x10;
const RETURN_CALL = 0x12;
const RETURN_CALL_INDIRECT = 0x13;

/** A loop whose last instructions are given; they are to go back to its head. */
function cycle(body: Body, last: () => void): void {
  body.block(LOOP, NOTHING, CLOSED, () => {
    body.statements(ROUND_DEPTH);
    last();
  });
}

function bare(...code: readonly number[]): Rule {
  return (body) => body.op(...code);
}

function round(...last: readonly number[]): Rule {
  return (body) => cycle(body, () => body.op(...last));
}

const fills: Rule = (body) => {
  const is64 = body.plan.memories[0]?.is64 ?? false;
  body.block(LOOP, NOTHING, CLOSED, () => {
    addressConstant(body, is64, 0);
    body.i32(1);
    addressConstant(body, is64, body.choices.pick([0, 1, 65_536, 4 * 65_536]));
    body.op(0xfc, 11, 0, 0x0c, 0);
  });
};

const copies: Rule = (body) => {
  const is64 = body.plan.memories[0]?.is64 ?? false;
  body.block(LOOP, NOTHING, CLOSED, () => {
    addressConstant(body, is64, body.choices.pick([0, 1, 100]));
    addressConstant(body, is64, body.choices.pick([0, 1, 100]));
    addressConstant(body, is64, body.choices.pick([0, 1, 3 * 65_536]));
    body.op(0xfc, 10, 0, 0, 0x0c, 0);
  });
};

const fillsArray: Rule = (body) => {
  const array = body.freshLocal("ints");
  body.i32(100_000);
  body.op(0xfb, 7, PRELUDE_INDEX.ints, 0x21);
  body.u(array);
  body.block(LOOP, NOTHING, CLOSED, () => {
    body.op(0x20);
    body.u(array);
    body.i32(0);
    body.i32(7);
    body.i32(body.choices.pick([0, 1, 100_000]));
    body.op(0xfb, 16, PRELUDE_INDEX.ints, 0x0c, 0);
  });
};

const tableBack: Rule = (body) => {
  body.block(BLOCK, NOTHING, CLOSED, () =>
    cycle(body, () => {
      body.i32(body.choices.pick([0, 2, 9]));
      body.op(0x0e, 3, 0, 1, 0, 0);
    }));
};

/** Goes round by values: a loop with a parameter. */
const carries: Rule = (body) => {
  body.i32(1);
  const one = { params: ["i32"], results: ["i32"] } as const;
  body.block(LOOP, one, { types: ["i32"], mayBranch: false }, () => {
    body.statements(ROUND_DEPTH);
    if (body.choices.oneIn(2)) body.op(0x0c, 0);
    else body.op(0x41, 1, 0x0d, 0);
  });
  body.op(0x1a);
};

const onNonNull: Rule = (body) => {
  body.op(0xfb, 1, PRELUDE_INDEX.point);
  const signature = { params: ["pointSure"], results: [] } as const;
  body.block(LOOP, signature, { types: ["pointSure"], mayBranch: false }, () => {
    body.statements(ROUND_DEPTH);
    body.op(0xd6, 0);
  });
};

const onCast: Rule = (body) => {
  body.op(0xfb, 1, PRELUDE_INDEX.point);
  const signature = { params: ["anyref"], results: [] } as const;
  body.block(LOOP, signature, { types: ["anyref"], mayBranch: false }, () => {
    body.statements(ROUND_DEPTH);
    const fails = body.choices.oneIn(2);
    if (fails) body.op(0xfb, 25, 3, 0, 0x6e, 0x6c);
    else body.op(0xfb, 24, 3, 0, 0x6e, PRELUDE_INDEX.point);
    body.op(0x1a);
  });
};

/** A pair of loops of which the inner one only ever continues the outer one. */
const continuesOuter: Rule = (body) => {
  cycle(body, () => cycle(body, () => body.op(0x0c, 1)));
};

const eitherWay: Rule = (body) => {
  cycle(body, () => {
    body.value("i32", 2);
    body.op(IF, 0x40, 0x0c, 1, 0x05, 0x0c, 1, 0x0b);
  });
};

/** Counts to ten, and starts again each time it is there. */
const resets: Rule = (body) => {
  const counter = body.freshLocal("i32");
  cycle(body, () => {
    body.op(0x20);
    body.u(counter);
    body.op(0x41, 1, 0x6a, 0x22);
    body.u(counter);
    body.op(0x41, 9, 0x46, IF, 0x40, 0x41, 0, 0x21);
    body.u(counter);
    body.op(0x0b, 0x20);
    body.u(counter);
    body.op(0x41, 10, 0x48, 0x0d, 0);
  });
};

/** Calls the own function, as a tail call or not; the latter ends with the stack. */
const selfCall: Rule = (body) => {
  const [index] = body.plan.functionsWhere((signature) => signature === body.signature);
  if (index === undefined) return;
  for (const type of body.signature.params) simplest(body, type);
  const way = body.choices.below(3);
  if (way === 1) {
    addressConstant(body, body.plan.tableIs64, index);
    body.op(RETURN_CALL_INDIRECT);
    body.u(body.plan.typeOf(body.signature));
    body.u(FUNCTION_TABLE);
    return;
  }
  body.op(way === 0 ? RETURN_CALL : CALL);
  body.u(index);
  if (way === 2) { for (const _ of body.signature.results) body.op(0x1a); }
};

/** Calls itself behind a call that is skipped: in a conditional, on the other side of one, or behind a block. */
const skipsCall: Rule = (body) => {
  const [index] = body.plan.functionsWhere((signature) => signature === body.signature);
  if (index === undefined) return;
  const callFirst = (): void => {
    body.i32(1);
    body.op(CALL);
    body.u(body.plan.importedCount);
    body.op(0x1a);
  };
  const callItself = (): void => {
    for (const type of body.signature.params) simplest(body, type);
    body.op(RETURN_CALL);
    body.u(index);
  };
  const way = body.choices.below(3);
  if (way === 2) body.op(BLOCK, 0x40, 0x41, 1, 0x0d, 0);
  else body.op(0x41, 0, IF, 0x40);
  callFirst();
  if (way === 1) {
    body.op(0x05);
    callItself();
  }
  body.op(0x0b);
  callItself();
};

/** Throws out of a try back to the head of the loop around. */
const throwsBack: Rule = (body) => {
  if (body.plan.exceptions === "modern") {
    body.block(LOOP, NOTHING, CLOSED, () => {
      body.op(0x1f, 0x40, 1, 2, 0);
      body.inside(CLOSED, () => {
        body.statements(ROUND_DEPTH);
        body.op(0x08, EMPTY_TAG);
      });
      body.op(0x0b);
    });
  } else if (body.plan.exceptions === "legacy") {
    body.block(LOOP, NOTHING, CLOSED, () => {
      body.op(0x06, 0x40);
      body.inside(CLOSED, () => {
        body.statements(ROUND_DEPTH);
        body.op(0x08, EMPTY_TAG);
      });
      body.op(0x19);
      body.inside(CLOSED, () => body.statements(ROUND_DEPTH));
      body.op(0x0c, 1, 0x0b);
    });
  }
};

/** Loops inside the handler of what was thrown. */
const loopsInHandler: Rule = (body) => {
  if (body.plan.exceptions === "modern") {
    body.block(BLOCK, NOTHING, CLOSED, () => body.op(0x1f, 0x40, 1, 2, 0, 0x08, EMPTY_TAG, 0x0b));
    cycle(body, () => body.op(0x0c, 0));
  } else if (body.plan.exceptions === "legacy") {
    body.op(0x06, 0x40, 0x08, EMPTY_TAG, 0x19);
    body.inside(CLOSED, () => cycle(body, () => body.op(0x0c, 0)));
    body.op(0x0b);
  }
};

/** Swallows everything that the rounds throw, a stop included if it could be caught. */
const swallows: Rule = (body) => {
  if (body.plan.exceptions === "modern") {
    cycle(body, () => {
      body.op(BLOCK, 0x40, 0x1f, 0x40, 1, 2, 0, LOOP, 0x40, 0x0c, 0, 0x0b, 0x0b, 0x0b, 0x0c, 0);
    });
  } else if (body.plan.exceptions === "legacy") {
    cycle(body, () => body.op(0x06, 0x40, LOOP, 0x40, 0x0c, 0, 0x0b, 0x19, 0x0c, 1, 0x0b));
  }
};

/** Calls the host in a loop. */
const callsHost: Rule = (body) => {
  cycle(body, () => {
    body.i32(1);
    body.op(0x10);
    body.u(0);
    body.op(0x0c, 0);
  });
};

const grows: Rule = (body) => {
  const is64 = body.plan.memories[0]?.is64 ?? false;
  body.block(LOOP, NOTHING, CLOSED, () => {
    addressConstant(body, is64, body.choices.pick([0, 1]));
    body.op(0x40, 0, 0x1a, 0x0c, 0);
  });
};

/** The rules; the first is the simple one. */
export const ENDLESS: readonly Rule[] = [
  bare(LOOP, 0x40, 0x0c, 0, 0x0b),
  bare(LOOP, 0x40, 0x41, 1, 0x0d, 0, 0x0b),
  round(0x0c, 0),
  round(0x41, 1, 0x0d, 0),
  round(0xd0, 0x6e, 0xd5, 0, 0x1a),
  bare(LOOP, 0x40, LOOP, 0x40, 0x0c, 1, 0x0b, 0x0b),
  bare(BLOCK, 0x40, LOOP, 0x40, 0x41, 0, 0x0d, 1, 0x0c, 0, 0x0b, 0x0b),
  fills,
  copies,
  fillsArray,
  tableBack,
  carries,
  onNonNull,
  onCast,
  continuesOuter,
  eitherWay,
  resets,
  selfCall,
  selfCall,
  skipsCall,
  skipsCall,
  throwsBack,
  throwsBack,
  loopsInHandler,
  swallows,
  swallows,
  callsHost,
  grows,
];
