/**
 * Prologue: what a generated kernel does before its statements.
 *
 * Owns the registers with names that templates use, and the first values of all variables and of the thread's
 * memory. Invariant: after it everything that a template may read has been written, by this thread or before a
 * barrier.
 */
import type { Builder, RegisterClass } from "./builder.ts";
import { BIN_BYTES, BIN_COPIES, LOCAL_BYTES, OWN_SHARED_BYTES, SCRATCH_BYTES } from "./memory_templates.ts";
import type { Shape } from "./shape.ts";

const NAMED = {
  b32: [
    "linear",
    "threads",
    "lane",
    "lanes",
    "laneMask",
    "ownShared",
    "sharedBins",
    "exchange",
    "exchangeBase",
  ],
  b64: [
    "input",
    "scratch",
    "localArray",
    "localGeneric",
    "ownSharedGeneric",
    "globalBins",
    "results",
    "thread",
    "memory",
  ],
} as const;

export function emitPrologue(
  builder: Builder,
  shape: Shape,
  counts: readonly (readonly [type: RegisterClass, count: number])[],
): void {
  for (const [type, names] of Object.entries(NAMED)) {
    builder.directive(`.reg .${type} ${names.map((name) => `%${name}`).join(", ")};`);
  }
  emitPosition(builder);
  emitAddresses(builder, shape);
  emitVariables(builder, counts);
  emitMemory(builder);
}

/** Numbers of the thread in its block and in the launch, and of its lane. */
function emitPosition(builder: Builder): void {
  const [x, y, z] = ["tid.x", "tid.y", "tid.z"].map((name) => special(builder, name));
  const [width, height, depth] = ["ntid.x", "ntid.y", "ntid.z"].map((name) => special(builder, name));
  builder.emit(`mad.lo.u32 %linear, ${z}, ${height}, ${y};`);
  builder.emit(`mad.lo.u32 %linear, %linear, ${width}, ${x};`);
  builder.emit(`mul.lo.u32 %threads, ${width}, ${height};`);
  builder.emit(`mul.lo.u32 %threads, %threads, ${depth};`);
  builder.emit("mov.u32 %lane, %laneid;");
  const [first, all] = [builder.register("b32"), builder.register("b32")];
  builder.emit(`sub.u32 ${first}, %linear, %lane;`);
  builder.emit(`sub.u32 %lanes, %threads, ${first};`);
  builder.emit("min.u32 %lanes, %lanes, 32;");
  builder.emit(`mov.u32 ${all}, -1;`);
  builder.emit(`sub.u32 %laneMask, 32, %lanes;`);
  builder.emit(`shr.u32 %laneMask, ${all}, %laneMask;`);
  const [cx, cy, cz] = ["ctaid.x", "ctaid.y", "ctaid.z"].map((name) => special(builder, name));
  const [nx, ny] = ["nctaid.x", "nctaid.y"].map((name) => special(builder, name));
  const block = builder.register("b32");
  builder.emit(`mad.lo.u32 ${block}, ${cz}, ${ny}, ${cy};`);
  builder.emit(`mad.lo.u32 ${block}, ${block}, ${nx}, ${cx};`);
  const thread = builder.register("b32");
  builder.emit(`mad.lo.u32 ${thread}, ${block}, %threads, %linear;`);
  builder.emit(`cvt.u64.u32 %thread, ${thread};`);
  const number = builder.register("b32");
  builder.emit(`ld.param.u32 ${number}, [number];`);
  builder.uniforms.push(block, number, "%threads");
}

function special(builder: Builder, name: string): string {
  const register = builder.register("b32");
  builder.emit(`mov.u32 ${register}, %${name};`);
  return register;
}

function emitAddresses(builder: Builder, shape: Shape): void {
  builder.emit("ld.param.u64 %memory, [memory];");
  builder.emit("cvta.to.global.u64 %memory, %memory;");
  builder.emit(`add.s64 %input, %memory, ${shape.inputOffset};`);
  builder.emit(`add.s64 %globalBins, %memory, ${shape.binsOffset};`);
  builder.emit(`mad.lo.u64 %scratch, %thread, ${SCRATCH_BYTES}, %memory;`);
  builder.emit(`add.s64 %scratch, %scratch, ${shape.scratchOffset};`);
  if (shape.isStrided) {
    builder.emit(`mad.lo.u64 %results, %thread, ${shape.resultBytes}, %memory;`);
    builder.emit(`add.s64 %results, %results, ${shape.resultsOffset};`);
  } else {
    builder.emit(`add.s64 %results, %memory, ${shape.resultsOffset};`);
  }
  builder.emit("mov.u64 %localArray, localArray;");
  builder.emit("cvta.local.u64 %localGeneric, %localArray;");
  builder.emit("mov.u32 %exchangeBase, exchange;");
  builder.emit("mad.lo.u32 %exchange, %linear, 4, %exchangeBase;");
  builder.emit("mov.u32 %sharedBins, sharedBins;");
  builder.emit("mov.u32 %ownShared, ownShared;");
  builder.emit(`mad.lo.u32 %ownShared, %linear, ${OWN_SHARED_BYTES}, %ownShared;`);
  builder.emit("cvt.u64.u32 %ownSharedGeneric, %ownShared;");
  builder.emit("cvta.shared.u64 %ownSharedGeneric, %ownSharedGeneric;");
}

/** First values: numbers of the thread, parameters and input. */
function emitVariables(
  builder: Builder,
  counts: readonly (readonly [type: RegisterClass, count: number])[],
): void {
  const { random } = builder;
  const index = builder.register("b64");
  builder.emit(`mul.wide.u32 ${index}, %lane, 8;`);
  builder.emit(`add.s64 ${index}, ${index}, %input;`);
  for (const [type, count] of counts) {
    for (let each = 0; each < count; each++) {
      // The variable counts as one only once it is written.
      const register = builder.register(type);
      emitFirst(builder, type, register, index, 8 * random.below(90), each);
      builder.variables[type].push(register);
    }
  }
}

function emitFirst(
  builder: Builder,
  type: RegisterClass,
  register: string,
  index: string,
  offset: number,
  each: number,
): void {
  switch (type) {
    case "b32":
      if (each === 0) builder.emit(`mov.b32 ${register}, %linear;`);
      else if (each === 1) builder.emit(`ld.param.u32 ${register}, [number];`);
      else if (each === 2) builder.emit(`xor.b32 ${register}, %lane, ${offset};`);
      else builder.emit(`ld.global.u32 ${register}, [${index}+${offset}];`);
      return;
    case "b64":
      if (each === 0) builder.emit(`ld.param.u64 ${register}, [large];`);
      else if (each === 1) builder.emit(`mul.lo.u64 ${register}, %thread, ${offset + 1};`);
      else builder.emit(`ld.global.u64 ${register}, [${index}+${offset}];`);
      return;
    case "f32":
      if (each === 0) builder.emit(`ld.param.f32 ${register}, [single];`);
      else if (each === 1) builder.emit(`cvt.rn.f32.u32 ${register}, %linear;`);
      else builder.emit(`ld.global.f32 ${register}, [${index}+${offset}];`);
      return;
    case "f64":
      if (each === 0) builder.emit(`cvt.rn.f64.s32 ${register}, %lane;`);
      else builder.emit(`ld.global.f64 ${register}, [${index}+${offset}];`);
      return;
    case "b16":
      builder.emit(`ld.global.u16 ${register}, [${index}+${offset}];`);
      return;
    case "pred":
      builder.emit(
        `setp.gt.s32 ${register}, ${builder.random.pick(builder.variables.b32)}, ${offset - 300};`,
      );
  }
}

/** Local and own memory is filled by the thread, exchange and bins by all, with a barrier behind. */
function emitMemory(builder: Builder): void {
  for (let offset = 0; offset < LOCAL_BYTES; offset += 16) {
    builder.emit(
      `st.local.v4.u32 [localArray+${offset}], {%linear, %lane, %threads, ${builder.variables.b32[3]}};`,
    );
  }
  builder.emit("st.shared.v4.u32 [%ownShared], {%lane, %linear, %lane, %threads};");
  builder.emit("st.shared.u32 [%exchange], %linear;");
  const words = (BIN_BYTES * BIN_COPIES) / 4;
  builder.expand(
    `mov.u32 <t:b32:w>, %linear; <l:h>:; setp.ge.u32 <t:pred:d>, <t:b32:w>, ${words}; @<t:pred:d> bra <l:e>; ` +
      "mad.lo.u32 <t:b32:a>, <t:b32:w>, 4, %sharedBins; mul.lo.u32 <t:b32:v>, <t:b32:w>, 2654435; " +
      "st.shared.u32 [<t:b32:a>], <t:b32:v>; add.u32 <t:b32:w>, <t:b32:w>, %threads; bra <l:h>; <l:e>:",
  );
  builder.emit("bar.sync 0;");
}
