/**
 * makeModule: a valid module that ends, from a seed.
 *
 * Owns the order of sections and the grammar of all rules together. Imports are those of HOST_FUNCTIONS, exports
 * all functions with numbers only, the memories, the mutable globals of numbers, and the tags. Invariant: the
 * same seed and length give the same bytes, the engine takes them, and every call of an export ends.
 */
import { I32, moduleOf, name, section, u, vec } from "../../../support/module_bytes.ts";
import { Body, type Grammar, type Rule } from "./body.ts";
import { CALL_STATEMENTS, callRules } from "./calls.ts";
import { Choices } from "./choices.ts";
import { CONTROL_STATEMENTS, controlRules } from "./control.ts";
import { ENDLESS } from "./endless.ts";
import { catchesCall, EXCEPTION_STATEMENTS, throws } from "./exceptions.ts";
import { bulkLoop, LOOP_STATEMENTS, loopRules, oddBackEdge, walk } from "./loops.ts";
import { loadRules, MEMORY_STATEMENTS, VECTOR_LOAD_RULES } from "./memory.ts";
import { numericRules } from "./numeric.ts";
import { GLOBAL_TYPES, HOST_FUNCTIONS, ModulePlan, type Signature, TABLE_LENGTHS } from "./plan.ts";
import { readRules, REFERENCE_STATEMENTS, referenceRules } from "./references.ts";
import { TABLE_STATEMENTS } from "./tables.ts";
import { NUMBERS, PRELUDE, PRELUDE_INDEX, type Type, TYPE_BYTES } from "./value_type.ts";
import { laneRules, VECTOR_RULES } from "./vector.ts";
import { checkWork, simplest } from "./work.ts";

const WORK = 700;
const STATEMENT_DEPTH = 4;
const NO_VALUES: Signature = { params: [], results: [] };

/** A generated module and what can be called in it. */
export interface GeneratedModule {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Exported functions, by name. */
  readonly functions: ReadonlyMap<string, Signature>;
}

const STATEMENTS: readonly Rule[] = [
  ...CONTROL_STATEMENTS,
  ...LOOP_STATEMENTS,
  ...MEMORY_STATEMENTS,
  ...CALL_STATEMENTS,
  ...REFERENCE_STATEMENTS,
  ...TABLE_STATEMENTS,
  ...EXCEPTION_STATEMENTS,
];

/** Small loops around one thing: without them most loops would be too large to be kept in a register. */
const FOCUSED: readonly Rule[] = [bulkLoop, catchesCall, oddBackEdge, walk];

function rulesFor(type: Type): readonly Rule[] {
  if (type === "pointSure" || type === "calleeSure") return referenceRules(type);
  const isNumber = NUMBERS.includes(type);
  return [
    ...(isNumber ? numericRules(type) : []),
    ...(type === "v128" ? VECTOR_RULES : []),
    ...referenceRules(type),
    ...(isNumber ? [...loadRules(type), ...laneRules(type), ...readRules(type)] : []),
    ...(type === "v128" ? VECTOR_LOAD_RULES : []),
    ...controlRules(type),
    ...loopRules(type),
    ...callRules(type),
  ];
}

const RULES = new Map<Type, readonly Rule[]>();

const GRAMMAR: Grammar = {
  values: (type) => {
    const known = RULES.get(type);
    if (known !== undefined) return known;
    const rules = rulesFor(type);
    RULES.set(type, rules);
    return rules;
  },
  statements: STATEMENTS,
};

/** What kind of module. */
export interface ModuleOptions {
  /** Choices before only simple ones follow; fewer give a simpler module. */
  readonly length?: number | undefined;
  /** Whether every function holds a cycle without an end, and there is work for hours; default false. */
  readonly endless?: boolean;
}

/** Generates a module. */
export function makeModule(seed: number, { length, endless = false }: ModuleOptions = {}): GeneratedModule {
  const plan = new ModulePlan(new Choices(seed, length));
  const defined = plan.functions.slice(plan.importedCount);
  const bodies = defined.map((signature, index) =>
    writeBody(plan, signature, plan.importedCount + index, endless)
  );
  if (plan.hasStart) bodies.push(writeBody(plan, NO_VALUES, plan.functions.length, endless));
  const types = plan.functions.map((signature) => plan.typeOf(signature));
  if (plan.hasStart) types.push(PRELUDE_INDEX.plain);
  const functions = new Map<string, Signature>();
  defined.forEach((signature, index) => {
    const isPlain = [...signature.params, ...signature.results].every((type) => NUMBERS.includes(type));
    if (isPlain) functions.set(`run${index}`, signature);
  });
  const bytes = moduleOf(
    section(0, name("note"), [1, 2, 3]),
    section(1, vec(...PRELUDE, ...plan.types.map(functionType))),
    section(2, vec(...Object.keys(HOST_FUNCTIONS).map((key, index) => importOf(key, types[index] ?? 0)))),
    section(3, vec(...types.slice(plan.importedCount).map((type) => u(type)))),
    section(4, vec(...tableTypes(plan))),
    section(5, vec(...plan.memories.map(({ is64, pagesMin }) => [is64 ? 4 : 0, ...u(pagesMin)]))),
    section(13, vec([0, PRELUDE_INDEX.tagged], [0, PRELUDE_INDEX.plain])),
    section(6, vec(...GLOBAL_TYPES.map((type, index) => globalOf(plan, type, index)))),
    section(7, vec(...exportsOf(plan, [...functions.keys()]))),
    section(0, name("between"), []),
    ...(plan.hasStart ? [section(8, u(plan.functions.length))] : []),
    section(9, vec(...elementSegments(plan))),
    section(12, [plan.dataBytes.length + 1]),
    section(10, vec(...bodies)),
    section(11, vec(...dataSegments(plan))),
    section(0, name("name"), [0, 2, 1, 0x61]),
  );
  return { bytes, functions };
}

function writeBody(plan: ModulePlan, signature: Signature, index: number, endless: boolean): number[] {
  const body = new Body(plan, signature, GRAMMAR);
  // A bare function has nothing but the cycle, so that nothing else can make it stop.
  const isBare = endless && plan.choices.oneIn(2);
  if (!isBare) {
    checkWork(body, 10);
    if (plan.choices.oneIn(2)) plan.choices.pick(FOCUSED)(body, 1);
    body.statements(STATEMENT_DEPTH);
  }
  if (endless) plan.choices.pick(ENDLESS)(body, STATEMENT_DEPTH);
  if (!isBare) body.statements(STATEMENT_DEPTH);
  if (index === plan.throwing && plan.exceptions !== "none") throws(body, STATEMENT_DEPTH);
  for (const type of signature.results) {
    if (isBare) simplest(body, type);
    else body.value(type, STATEMENT_DEPTH);
  }
  return body.finish();
}

function functionType({ params, results }: Signature): number[] {
  return [
    0x60,
    ...u(params.length),
    ...params.flatMap((type) => TYPE_BYTES[type]),
    ...u(results.length),
    ...results.flatMap((type) => TYPE_BYTES[type]),
  ];
}

function importOf(key: string, type: number): number[] {
  return [...name("env"), ...name(key), 0, ...u(type)];
}

function tableTypes(plan: ModulePlan): number[][] {
  const [functions, callees, points] = TABLE_LENGTHS;
  return [
    [0x70, plan.tableIs64 ? 5 : 1, functions, ...u(100_000)],
    [0x63, PRELUDE_INDEX.callee, 0, callees],
    [0x40, 0, 0x63, PRELUDE_INDEX.point, 1, points, 40, 0xfb, 1, PRELUDE_INDEX.point, 0x0b],
  ];
}

function globalOf(plan: ModulePlan, type: Type, index: number): number[] {
  // Extended constants: the work is a sum.
  if (index === 0) return [I32, 1, 0x41, ...u(WORK / 2), 0x41, ...u(WORK / 2), 0x6a, 0x0b].map(Number);
  const body = new Body(plan, { params: [], results: [] }, GRAMMAR);
  if (type === "point" && index % 2 === 1) body.op(0xfb, 1, PRELUDE_INDEX.point);
  else if (type === "callee") body.op(0xd2, plan.importedCount);
  else simplest(body, type);
  return [...TYPE_BYTES[type], 1, ...body.code, 0x0b];
}

function exportsOf(plan: ModulePlan, functions: readonly string[]): number[][] {
  return [
    ...functions.map((key) => [...name(key), 0, ...u(plan.importedCount + Number(key.slice(3)))]),
    ...plan.memories.map((_, index) => [...name(`memory${index}`), 2, index]),
    ...GLOBAL_TYPES.flatMap((type, index) =>
      NUMBERS.includes(type) ? [[...name(`global${index}`), 3, index]] : []
    ),
    [...name("valueTag"), 4, 0],
    [...name("emptyTag"), 4, 1],
  ];
}

function elementSegments(plan: ModulePlan): number[][] {
  const all = Array.from({ length: TABLE_LENGTHS[0] }, (_, index) => u(index % plan.functions.length));
  const first = plan.importedCount;
  const fresh = [0xfb, 1, PRELUDE_INDEX.point, 0x0b];
  return [
    // Passive ones at the indices of the plan.
    [1, 0, ...vec(...all.slice(0, 5))],
    [5, 0x63, PRELUDE_INDEX.point, 4, ...fresh, 0xd0, PRELUDE_INDEX.point, 0x0b, ...fresh, ...fresh],
    [5, 0x63, PRELUDE_INDEX.callee, 2, 0xd2, first, 0x0b, 0xd0, PRELUDE_INDEX.callee, 0x0b],
    [2, 0, plan.tableIs64 ? 0x42 : 0x41, 0, 0x0b, 0, ...vec(...all)],
    [6, 1, 0x41, 1, 0x0b, 0x63, PRELUDE_INDEX.callee, 3, ...Array(3).fill([0xd2, first, 0x0b]).flat()],
    [3, 0, ...vec(...plan.functions.map((_, index) => u(index)))],
  ];
}

function dataSegments(plan: ModulePlan): number[][] {
  const passive = plan.dataBytes.map((size) => [
    1,
    ...u(size),
    ...Array.from({ length: size }, (_, index) => index * 7 & 0xff),
  ]);
  const constant = plan.memories[0]?.is64 ? [0x42, 16, 0x42, 8, 0x7c] : [0x41, 16, 0x41, 8, 0x6a];
  return [...passive, [0, ...constant, 0x0b, 4, 0xde, 0xad, 0xbe, 0xef]];
}
