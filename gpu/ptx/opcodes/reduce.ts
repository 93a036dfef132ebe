/**
 * match.sync and redux.sync: lanes compare their values, or reduce them to one (PTX ISA 9.7.13).
 *
 * Owns both ways to emit them: by vectors where every lane takes part, else lane by lane. Invariant: a lane that
 * takes no part counts as if it did not exist; every value is read before a result is written.
 */
import { bytesOf } from "../ast.ts";
import type { PtxOperand } from "../ast.ts";
import type { Exchange } from "../emit/exchange.ts";
import type { Instruction } from "../kernel/ir.ts";
import { storageOf } from "../kernel/ir.ts";
import type { OpName } from "../wasm/code.ts";
import type { MemoryOpName } from "../wasm/opcode.ts";
import { QUADS } from "../emit/whole_warp.ts";
import { operandAt, typeAt, widthOp } from "./integer.ts";
import type { OpcodeRow } from "./row.ts";
import { unsupported } from "./row.ts";

/** Emits `group` for each set of lanes with equal values; it is given the local of their mask. */
function forEachGroup(x: Exchange, i: Instruction, group: (mask: number) => void): void {
  const { code, emitter } = x;
  const a = operandAt(i, 1);
  const type = typeAt(i);
  const storage = storageOf(type);
  const bytes = bytesOf(type);
  const load = `${storage}Load` as MemoryOpName;
  x.forEachLane((lane) => {
    x.pushScratch(lane, bytes);
    emitter.push(a, type);
    code.memory(`${storage}Store` as MemoryOpName, x.scratchOffset());
  });
  const [rest, leader, mask] = [code.temp("i32"), code.temp("i32"), code.temp("i32")];
  const value = code.temp(storage);
  code.get(x.who);
  code.set(rest);
  const end = code.block();
  const loop = code.loop();
  code.get(rest);
  code.op("i32Eqz");
  code.brIf(end);
  code.get(rest);
  code.op("i32Ctz");
  code.set(leader);
  x.pushScratch(leader, bytes);
  code.memory(load, x.scratchOffset());
  code.set(value);
  code.i32(0);
  code.set(mask);
  const byLane = (): void =>
    x.forEachLane((lane) => {
      x.pushScratch(lane, bytes);
      code.memory(load, x.scratchOffset());
      code.get(value);
      code.op(widthOp(type, "Eq"));
      code.get(lane);
      code.op("i32Shl");
      code.get(mask);
      code.op("i32Or");
      code.set(mask);
    }, rest);
  if (bytes === 4) {
    x.ifWhole((warp) => {
      const vector = code.temp("v128");
      code.get(value);
      code.op("i32x4Splat");
      code.set(vector);
      warp.pushMask((quad) => {
        x.pushScratch();
        code.memory("v128Load", x.scratchOffset(16 * quad));
        code.get(vector);
        code.op("i32x4Eq");
      });
      code.set(mask);
      code.release("v128", vector);
    }, byLane);
  } else byLane();
  code.get(rest);
  code.get(mask);
  code.op("i32Xor");
  code.set(rest);
  group(mask);
  code.br(loop);
  code.end();
  code.end();
  for (const local of [rest, leader, mask]) code.release("i32", local);
  code.release(storage, value);
}

function emitMatch(x: Exchange, i: Instruction): void {
  const { code, emitter } = x;
  const target = operandAt(i, 0);
  const [d, p] = target.kind === "pair" ? [target.first, target.second] : [target, undefined];
  if (i.modifiers.includes("any")) {
    return forEachGroup(x, i, (mask) =>
      x.forEachLane(() => {
        code.get(mask);
        emitter.set(d, "b32");
      }, mask));
  }
  // All lanes agree if the first group is all of them.
  const [first, isAll] = [code.temp("i32"), code.temp("i32")];
  code.i32(0);
  code.set(isAll);
  forEachGroup(x, i, (mask) => {
    code.get(mask);
    code.get(x.who);
    code.op("i32Eq");
    code.get(isAll);
    code.op("i32Or");
    code.set(isAll);
  });
  code.get(x.who);
  code.i32(0);
  code.get(isAll);
  code.op("select");
  code.set(first);
  x.setAll(d, "b32", first);
  if (p !== undefined) x.setAll(p, "pred", isAll);
  code.release("i32", first);
  code.release("i32", isAll);
}

const REDUCTIONS = ["add", "min", "max", "and", "or", "xor"] as const;

function reductionOf(i: Instruction): typeof REDUCTIONS[number] {
  const name = REDUCTIONS.find((each) => i.modifiers.includes(each));
  if (name === undefined) throw unsupported(i, "expected a reduction");
  return name;
}

function checkRedux(i: Instruction): void {
  const name = reductionOf(i);
  const type = typeAt(i);
  const isBitwise = name === "and" || name === "or" || name === "xor";
  if (isBitwise !== (type === "b32") || (type === "f32" && name === "add")) {
    throw unsupported(i, `.${name} of .${type}`);
  }
  if (type !== "f32" && i.modifiers.some((word) => word === "abs" || word === "NaN")) {
    throw unsupported(i, ".abs and .NaN are for .f32");
  }
}

function emitRedux(x: Exchange, i: Instruction): void {
  const { code } = x;
  const total = code.temp("i32");
  const a = operandAt(i, 1);
  if (typeAt(i) === "f32") reduceFloats(x, i, a, total);
  else reduceIntegers(x, i, a, total);
  x.setAll(operandAt(i, 0), "b32", total);
  code.release("i32", total);
}

function reduceIntegers(x: Exchange, i: Instruction, a: PtxOperand, total: number): void {
  const { code, emitter } = x;
  const type = typeAt(i);
  const name = reductionOf(i);
  const isSigned = type === "s32";
  const start = {
    add: 0,
    or: 0,
    xor: 0,
    and: -1,
    min: isSigned ? 0x7fff_ffff : -1,
    max: isSigned ? -0x8000_0000 : 0,
  }[name];
  const byLane = (): void => {
    const value = code.temp("i32");
    code.i32(start);
    code.set(total);
    x.forEachLane(() => {
      emitter.push(a, type);
      code.get(total);
      if (name !== "min" && name !== "max") {
        code.op(({ add: "i32Add", and: "i32And", or: "i32Or", xor: "i32Xor" } as const)[name]);
      } else {
        code.set(value);
        code.tee(total);
        code.get(value);
        code.get(total);
        code.get(value);
        code.op(`i32${name === "min" ? "Lt" : "Gt"}${isSigned ? "S" : "U"}`, "select");
      }
      code.set(total);
    });
    code.release("i32", value);
  };
  if (!x.hasQuads(a)) return byLane();
  const fold: OpName = ({
    add: "i32x4Add",
    and: "v128And",
    or: "v128Or",
    xor: "v128Xor",
    min: isSigned ? "i32x4MinS" : "i32x4MinU",
    max: isSigned ? "i32x4MaxS" : "i32x4MaxU",
  } as const)[name];
  x.ifWhole((warp) => {
    const register = warp.quadsOf(a);
    if (register === undefined) return;
    const vector = code.temp("v128");
    warp.push(register, 0);
    for (let quad = 1; quad < QUADS; quad++) {
      warp.push(register, quad);
      code.op(fold);
    }
    for (const lanes of [[2, 3, 0, 1], [1, 0, 3, 2]]) {
      code.tee(vector);
      code.get(vector);
      code.get(vector);
      code.shuffle32(lanes);
      code.op(fold);
    }
    code.lane("i32x4Extract", 0);
    code.set(total);
    code.release("v128", vector);
  }, byLane);
}

/** min and max as those of single values: without .NaN a number goes before a NaN. */
function reduceFloats(x: Exchange, i: Instruction, a: PtxOperand, total: number): void {
  const { code, emitter } = x;
  const op: OpName = reductionOf(i) === "min" ? "f32Min" : "f32Max";
  const [value, best] = [code.temp("f32"), code.temp("f32")];
  const isNaN = (local: number): void => {
    code.get(local);
    code.get(local);
    code.op("f32Ne");
  };
  if (i.modifiers.includes("NaN")) code.f32(op === "f32Min" ? Infinity : -Infinity);
  else code.f32Bits(0x7fff_ffff);
  code.set(best);
  x.forEachLane(() => {
    emitter.push(a, "f32");
    if (i.modifiers.includes("abs")) code.op("f32Abs");
    code.set(value);
    const skipsNaN = !i.modifiers.includes("NaN");
    if (skipsNaN) {
      code.get(value);
      code.get(best);
    }
    code.get(best);
    code.get(value);
    code.op(op);
    if (skipsNaN) {
      isNaN(value);
      code.op("select");
      isNaN(best);
      code.op("select");
    }
    code.set(best);
  });
  code.i32(0x7fff_ffff);
  code.get(best);
  code.op("i32ReinterpretF32");
  isNaN(best);
  code.op("select");
  code.set(total);
  code.release("f32", value);
  code.release("f32", best);
}

export const REDUCE_ROWS: readonly OpcodeRow[] = [
  {
    name: "match",
    types: [["b32", "b64"]],
    modifiers: ["any", "all", "sync"],
    operands: [3, 3],
    effect: "warp",
    lattice: "varying",
    exchange: (x, i) => x.forEachTeam(i.operands[2], () => emitMatch(x, i)),
    members: (e, i) => e.push(operandAt(i, 2), "b32"),
  },
  {
    name: "redux",
    types: [["u32", "s32", "b32", "f32"]],
    modifiers: [...REDUCTIONS, "sync", "abs", "NaN"],
    operands: [3, 3],
    effect: "warp",
    lattice: "varying",
    check: checkRedux,
    exchange: (x, i) => x.forEachTeam(i.operands[2], () => emitRedux(x, i)),
    members: (e, i) => e.push(operandAt(i, 2), "b32"),
  },
];
