/**
 * Rules for references: structs, arrays, i31, casts.
 *
 * Owns the instructions behind 0xfb. Most reads are guarded against null and bounds, a few
 * trap. Invariant: value rules leave one value, statement rules nothing.
 */
import type { Body, Rule } from "./body.ts";
import { BLOCK, IF } from "./control.ts";
import { canonical } from "./numeric.ts";
import { CALLEE_TABLE, FUNCTION_TABLE, POINT_ELEMENTS, POINT_TABLE } from "./plan.ts";
import { tableGet, tableGrow, tableSize } from "./tables.ts";
import { PRELUDE_INDEX, type Type } from "./value_type.ts";
import { simplest, whileWorkLasts } from "./work.ts";

const { point, solid, ints, octets, points, floats, callee } = PRELUDE_INDEX;

function gc(body: Body, opcode: number, ...indices: readonly number[]): void {
  body.op(0xfb);
  body.u(opcode);
  for (const index of indices) body.u(index);
}

const newPoint: Rule = (body, depth) => {
  const isSolid = body.choices.oneIn(3);
  if (body.choices.oneIn(3)) return gc(body, 1, isSolid ? solid : point);
  body.values(["i32", "i64", "i32", "point", "f64"], depth);
  if (isSolid) body.value("f32", depth);
  gc(body, 0, isSolid ? solid : point);
};

const pointOrNull: Rule = (body) => body.choices.oneIn(3) ? body.refNull("point") : gc(body, 1, point);

/** Points that are surely there, through every branch on null and on casts. */
const SURE_POINT_RULES: readonly Rule[] = [
  (body) => gc(body, 1, point),
  newPoint,
  (body, depth) => {
    body.block(
      BLOCK,
      { params: [], results: ["pointSure"] },
      { types: ["pointSure"], mayBranch: true },
      () => {
        body.value("point", depth);
        body.op(0xd6, 0);
        body.value("pointSure", depth);
      },
    );
  },
  (body, depth) => {
    body.block(
      BLOCK,
      { params: [], results: ["pointSure"] },
      { types: ["pointSure"], mayBranch: true },
      () => {
        body.value("anyref", depth);
        body.op(0xfb, 24, 1, 0, 0x6e, body.choices.pick([point, solid]), 0x1a);
        body.value("pointSure", depth);
      },
    );
  },
  (body, depth) => {
    body.block(
      BLOCK,
      { params: [], results: ["pointSure"] },
      { types: ["pointSure"], mayBranch: true },
      () => {
        body.block(BLOCK, { params: [], results: [] }, { types: [], mayBranch: true }, () => {
          body.value("point", depth);
          body.op(0xd5, 0, 0x0c, 1);
        });
        body.value("pointSure", depth);
      },
    );
  },
];

const POINT_RULES: readonly Rule[] = [
  pointOrNull,
  (body, depth) => body.value("pointSure", depth),
  newPoint,
  (body, depth) => {
    body.value("pointSure", depth);
    gc(body, 2, point, 3);
  },
  (body) => tableGet(body, POINT_TABLE),
  (body, depth) => {
    body.block(BLOCK, { params: [], results: ["point"] }, { types: ["point"], mayBranch: true }, () => {
      body.value("anyref", depth);
      body.op(0xfb, 24, 3, 0, 0x6e, point, 0x1a);
      body.value("point", depth);
    });
  },
];

const ANY_RULES: readonly Rule[] = [
  (body) => body.refNull("anyref"),
  (body, depth) => body.value(body.choices.pick(["point", "ints", "i31ref", "eqref"] as const), depth),
  (body, depth) => {
    body.value("externref", depth);
    gc(body, 26);
  },
  // What fails the cast leaves as it is; what passes is of a subtype.
  (body, depth) => {
    body.block(BLOCK, { params: [], results: ["anyref"] }, { types: ["anyref"], mayBranch: true }, () => {
      body.value("anyref", depth);
      body.op(0xfb, 25, 1, 0, 0x6e, body.choices.pick([point, ints, octets]));
    });
  },
];

const EQ_RULES: readonly Rule[] = [
  (body) => body.refNull("eqref"),
  (body, depth) => body.value(body.choices.pick(["point", "octets", "i31ref", "floats"] as const), depth),
];

const I31_RULES: readonly Rule[] = [
  (body) => body.refNull("i31ref"),
  (body, depth) => {
    body.value("i32", depth);
    gc(body, 28);
  },
];

const EXTERN_RULES: readonly Rule[] = [
  (body) => body.refNull("externref"),
  (body, depth) => {
    body.value("anyref", depth);
    gc(body, 27);
  },
];

const FUNCTION_RULES: readonly Rule[] = [
  (body) => body.refNull("funcref"),
  (body) => {
    body.op(0xd2);
    body.u(body.choices.below(body.plan.functions.length));
  },
  (body) => tableGet(body, FUNCTION_TABLE),
];

const CALLEE_RULES: readonly Rule[] = [
  (body) => body.refNull("callee"),
  (body, depth) => body.value("calleeSure", depth),
  (body) => tableGet(body, CALLEE_TABLE),
];

const SURE_CALLEE_RULES: readonly Rule[] = [
  (body) => simplest(body, "calleeSure"),
  (body) => {
    const functions = body.plan.functionsWhere(({ params, results }) =>
      params.join() === "i32" && results.join() === "i32"
    );
    body.op(0xd2);
    body.u(body.choices.pick(functions));
  },
];

const ARRAYS = {
  ints: { index: ints, element: "i32" },
  octets: { index: octets, element: "i32" },
  points: { index: points, element: "point" },
  floats: { index: floats, element: "f64" },
} as const;

type ArrayType = keyof typeof ARRAYS;

function arrayRules(type: ArrayType): Rule[] {
  const { index, element } = ARRAYS[type];
  return [
    (body) => body.refNull(type),
    (body, depth) => {
      const count = body.choices.below(5);
      for (let item = 0; item < count; item++) body.value(element, depth);
      gc(body, 8, index, count);
    },
    (body, depth) => {
      body.value(element, depth);
      body.i32(body.choices.below(20));
      gc(body, 6, index);
    },
    (body) => {
      body.i32(body.choices.below(20));
      gc(body, 7, index);
    },
  ];
}

/** The rules that leave a reference of a type; none for number types. */
export function referenceRules(type: Type): readonly Rule[] {
  switch (type) {
    case "point":
      return POINT_RULES;
    case "pointSure":
      return SURE_POINT_RULES;
    case "anyref":
      return ANY_RULES;
    case "eqref":
      return EQ_RULES;
    case "i31ref":
      return I31_RULES;
    case "externref":
      return EXTERN_RULES;
    case "funcref":
      return FUNCTION_RULES;
    case "callee":
      return CALLEE_RULES;
    case "calleeSure":
      return SURE_CALLEE_RULES;
    case "ints":
    case "octets":
    case "points":
    case "floats":
      return arrayRules(type);
    case "exnref":
      return [(body) => body.refNull("exnref")];
    default:
      return [];
  }
}

/** The rules that leave a number read out of a reference. */
export function readRules(type: Type): Rule[] {
  const field = ["i32", "i64", "i8", "point", "f64"].indexOf(type);
  const fromPoint: Rule = (body, depth) => {
    // A nullable point traps now and then.
    body.value(body.choices.oneIn(12) ? "point" : "pointSure", depth);
    gc(body, 2, point, field);
  };
  if (type === "i32") return [fromPoint, ...I32_READS];
  return field < 0 ? [] : [fromPoint];
}

const I32_READS: readonly Rule[] = [
  (body, depth) => {
    body.value("pointSure", depth);
    gc(body, body.choices.pick([3, 4]), point, 2);
  },
  (body, depth) => {
    const type = body.choices.pick(["anyref", "funcref", "externref", "point", "callee", "exnref"] as const);
    // A null exception is one of the new instructions.
    body.value(type === "exnref" && body.plan.exceptions === "legacy" ? "anyref" : type, depth);
    body.op(0xd1);
  },
  (body, depth) => {
    body.values(["eqref", "eqref"], depth);
    body.op(0xd3);
  },
  (body, depth) => {
    body.value("anyref", depth);
    const heap = body.choices.pick([point, solid, ints, octets, 0x6c, 0x6d, 0x6b, 0x6a, 0x71]);
    gc(body, body.choices.pick([20, 21]));
    body.op(heap);
  },
  (body, depth) => {
    body.value("i32", depth);
    gc(body, 28);
    gc(body, body.choices.pick([29, 30]));
  },
  (body, depth) => {
    body.value("ints", depth);
    body.op(0xd1, IF, 0x7f, 0x41, 1, 0x05);
    body.inside({ types: ["i32"], mayBranch: true }, () => {
      body.i32(body.choices.between(1, 50));
      gc(body, 7, ints);
      gc(body, 15);
    });
    body.op(0x0b);
  },
  tableSize,
  tableGrow,
];

const setField: Rule = (body, depth) => {
  const field = body.choices.below(5);
  body.value(body.choices.oneIn(12) ? "point" : "pointSure", depth);
  body.value((["i32", "i64", "i32", "point", "f64"] as const)[field] ?? "i32", depth);
  gc(body, 5, point, field);
};

/** An array of a known length, worked on by the bulk instructions, and one element read at the end. */
const arrayScene: Rule = (body, depth) => {
  const type = body.choices.pick(["ints", "octets", "points", "floats"] as const);
  const { index, element } = ARRAYS[type];
  const length = body.choices.pick([4, 16, 100, 4096, 65_536, 70_000]);
  const array = body.freshLocal(type);
  const get = (): void => {
    body.op(0x20);
    body.u(array);
  };
  const place = (): void => body.i32(body.choices.below(body.choices.oneIn(12) ? length + 2 : length / 2));
  const size = (): void => body.i32(body.choices.below(length / 2));
  whileWorkLasts(body, 20, () => {
    body.value(element, depth);
    body.i32(length);
    gc(body, 6, index);
    body.op(0x21);
    body.u(array);
    for (let count = body.choices.between(1, 3); count > 0; count--) {
      const kind = body.choices.below(type === "floats" ? 3 : 4);
      get();
      place();
      if (kind === 0) {
        body.value(element, depth);
        gc(body, 14, index);
      } else if (kind === 1) {
        body.value(element, depth);
        size();
        gc(body, 16, index);
      } else if (kind === 2) {
        get();
        place();
        size();
        gc(body, 17, index, index);
      } else {
        body.i32(body.choices.below(3));
        body.i32(body.choices.below(3));
        if (type === "points") gc(body, 19, index, POINT_ELEMENTS);
        else gc(body, 18, index, body.choices.below(body.plan.dataBytes.length));
      }
    }
    get();
    place();
    gc(body, type === "octets" ? body.choices.pick([12, 13]) : 11, index);
    canonical(body, element);
    body.op(0x21);
    body.u(body.local(element));
  });
};

/** Arrays out of passive segments: the whole of one of 70,000 bytes, or a few elements. */
const arrayFromSegment: Rule = (body) => {
  whileWorkLasts(body, 10, () => {
    if (body.choices.oneIn(3)) {
      body.i32(0);
      body.i32(body.choices.below(5));
      gc(body, 10, points, POINT_ELEMENTS);
    } else {
      const segment = body.choices.below(body.plan.dataBytes.length);
      const bytes = body.plan.dataBytes[segment] ?? 0;
      body.i32(body.choices.pick([0, 3]));
      body.i32(body.choices.oneIn(6) ? bytes : body.choices.pick([bytes - 3, 10, 0]));
      gc(body, 9, octets, segment);
    }
    body.op(0xfb, 15, 0x21);
    body.u(body.local("i32"));
  });
};

/** The rules of statements on references and tables. */
export const REFERENCE_STATEMENTS: readonly Rule[] = [
  setField,
  arrayScene,
  arrayFromSegment,
  (body, depth) => {
    body.value("callee", depth);
    body.op(0xd1, 0x1a);
    body.op(0xd2);
    body.u(body.choices.pick(body.plan.functionsWhere(() => true)));
    gc(body, 21);
    body.op(callee, 0x1a);
  },
];
