/**
 * Functions: small .func bodies and the calls of them.
 *
 * Owns their one signature: two integers and a pointer to the caller's local bytes, one integer back. They
 * neither wait nor call. Invariant: a function reads and writes only its registers and what its caller lent.
 */
import { Builder } from "./builder.ts";
import { LOCAL_BYTES } from "./memory_templates.ts";
import type { Random } from "./random.ts";
import { type Place, Statements } from "./statements.ts";

export interface GeneratedFunction {
  readonly name: string;
  readonly text: string;
  /** Instructions of one run at most. */
  readonly cost: number;
}

const SIGNATURE = "(.param .b32 result) NAME (.param .b32 first, .param .b64 second, .param .b64 lent)";

export function generateFunction(
  random: Random,
  index: number,
  excludes: readonly string[],
): GeneratedFunction {
  const name = `function${index}`;
  const builder = new Builder(random, `F${index}`);
  const [a, b] = [builder.variable("b32"), builder.variable("b64")];
  const lent = builder.register("b64");
  builder.emit(`ld.param.b32 ${a}, [first];`);
  builder.emit(`ld.param.b64 ${b}, [second];`);
  builder.emit(`ld.param.b64 ${lent}, [lent];`);
  for (const each of [1, 2, 3]) {
    builder.emit(`xor.b32 ${builder.variable("b32")}, ${a}, ${each * 0x1234567};`);
  }
  for (const each of [1, 2]) builder.emit(`add.s64 ${builder.variable("b64")}, ${b}, ${each * 77777};`);
  // As many as one template writes at most, since those are never alike.
  for (let each = 0; each < 2; each++) {
    builder.emit(`cvt.u16.u32 ${builder.variable("b16")}, ${a};`);
    builder.emit(`setp.gt.s32 ${builder.variable("pred")}, ${a}, ${each};`);
    builder.emit(`cvt.rn.f32.s32 ${builder.variable("f32")}, ${a};`);
  }
  builder.emit(`cvt.rn.f64.s64 ${builder.variable("f64")}, ${b};`);
  const statements = new Statements(builder, {
    hasBases: false,
    excludes,
    hasHalves: false,
    hasMatrices: false,
    wholeWarpThreads: undefined,
  }, 60);
  const place: Place = { depth: 2, isUniform: false };
  statements.block(place, random.between(2, 5));
  const offset = 4 * random.below(LOCAL_BYTES / 4);
  builder.emit(`ld.u32 ${builder.variables.b32[1]}, [${lent}+${offset}];`);
  builder.emit(
    `st.u32 [${lent}+${4 * random.below(LOCAL_BYTES / 4)}], ${random.pick(builder.variables.b32)};`,
  );
  statements.block(place, random.between(1, 4));
  builder.emit(`st.param.b32 [result], ${random.pick(builder.variables.b32)};`);
  builder.emit("ret;");
  const text = [
    `.func ${SIGNATURE.replace("NAME", name)}`,
    "{",
    ...builder.declarations(),
    ...builder.lines,
    "}",
  ].join("\n");
  return { name, text, cost: builder.spent };
}

/** Emits a call, by name or through a register that holds the address. */
export function emitCall(
  builder: Builder,
  functions: readonly GeneratedFunction[],
  localGeneric: string,
  isUniform: boolean,
): void {
  const { random } = builder;
  const callee = random.pick(functions);
  const [first, second] = [builder.source("b32"), builder.source("b64")];
  const target = random.pick(builder.variables.b32);
  const word = isUniform && random.percent(50) ? "call.uni" : "call";
  let name = callee.name;
  let prototype = "";
  builder.directive("{");
  builder.directive(".param .b32 a0; .param .b64 a1; .param .b64 a2; .param .b32 r0;");
  if (random.percent(25)) {
    const [address, other] = [builder.register("b64"), builder.register("b64")];
    builder.emit(`mov.u64 ${address}, ${callee.name};`);
    builder.emit(`mov.u64 ${other}, ${random.pick(functions).name};`);
    builder.emit(`selp.b64 ${address}, ${address}, ${other}, ${builder.source("pred")};`);
    const label = builder.label();
    builder.directive(
      `${label}: .callprototype (.param .b32 _) _ (.param .b32 _, .param .b64 _, .param .b64 _);`,
    );
    name = address;
    prototype = `, ${label}`;
  }
  builder.emit(`st.param.b32 [a0], ${first};`);
  builder.emit(`st.param.b64 [a1], ${second};`);
  builder.emit(`st.param.b64 [a2], ${localGeneric};`);
  // An indirect call need not be uniform: its address may differ from thread to thread.
  builder.emit(`${prototype === "" ? word : "call"} (r0), ${name}, (a0, a1, a2)${prototype};`);
  builder.emit(`ld.param.b32 ${target}, [r0];`);
  builder.directive("}");
  builder.spent += builder.times * Math.max(...functions.map((each) => each.cost));
}
