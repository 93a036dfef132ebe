/**
 * shfl and shfl.sync: lanes read a register of another lane (PTX ISA 9.7.9.5, 9.7.9.6).
 *
 * Owns the choice of the source lane and both ways to emit it: by vectors where the pattern is constant and
 * every lane takes part, else lane by lane through scratch memory. Invariant: a source that takes no part reads
 * as 0 (PTX leaves it open), and every source is read before a result is written.
 */
import type { PtxOperand } from "../ast.ts";
import type { Exchange } from "../emit/exchange.ts";
import { Formula } from "../helpers/formula.ts";
import type { Value } from "../helpers/formula.ts";
import type { Instruction } from "../kernel/ir.ts";
import { QUADS } from "../emit/whole_warp.ts";
import type { WholeWarp } from "../emit/whole_warp.ts";
import { operandAt } from "./integer.ts";
import type { OpcodeRow } from "./row.ts";
import { unsupported } from "./row.ts";

const MODES = ["up", "down", "bfly", "idx"] as const;
type Mode = typeof MODES[number];

function modeOf(i: Instruction): Mode {
  const mode = MODES.find((each) => i.modifiers.includes(each));
  if (mode === undefined) throw unsupported(i, "expected .up, .down, .bfly or .idx");
  return mode;
}

function checkShuffle(i: Instruction): void {
  modeOf(i);
  if (i.modifiers.includes("sync") && i.operands.length !== 5) throw unsupported(i, "expected a membermask");
}

/** Where each lane reads, and whether that lane is in its segment. */
interface Pattern {
  readonly sources: readonly number[];
  readonly isInRange: readonly boolean[];
}

function patternOf(mode: Mode, b: PtxOperand, c: PtxOperand): Pattern | undefined {
  if (b.kind !== "integer" || c.kind !== "integer") return undefined;
  const amount = Number(b.value & 31n);
  const clamp = Number(c.value & 31n);
  const segment = Number((c.value >> 8n) & 31n);
  const sources: number[] = [];
  const isInRange: boolean[] = [];
  for (let lane = 0; lane < 32; lane++) {
    const last = (lane & segment) | (clamp & ~segment);
    const source = {
      up: lane - amount,
      down: lane + amount,
      bfly: lane ^ amount,
      idx: (lane & segment) | (amount & ~segment),
    }[mode];
    const isIn = mode === "up" ? source >= last : source <= last;
    sources.push(isIn ? source : lane);
    isInRange.push(isIn);
  }
  return { sources, isInRange };
}

function emitShuffle(x: Exchange, i: Instruction): void {
  const target = operandAt(i, 0);
  const [d, p] = target.kind === "pair" ? [target.first, target.second] : [target, undefined];
  const [a, b, c] = [operandAt(i, 1), operandAt(i, 2), operandAt(i, 3)];
  const mode = modeOf(i);
  const pattern = patternOf(mode, b, c);
  const byLane = (): void => {
    clearScratch(x);
    gather(x, a);
    scatter(x, mode, { d, p, b, c });
  };
  const canVector = (result: PtxOperand | undefined): boolean =>
    result === undefined || result.kind === "sink" || x.hasQuads(result);
  if (!x.hasQuads(a) || !canVector(d) || !canVector(p)) return byLane();
  x.ifWhole((warp) => {
    if (pattern !== undefined) return emitPattern(warp, pattern, a, d, p);
    copyToScratch(x, warp, a);
    scatter(x, mode, { d, p, b, c });
  }, byLane);
}

/** Each quad of the result out of the quads that it reads. */
function emitPattern(
  warp: WholeWarp,
  { sources, isInRange }: Pattern,
  a: PtxOperand,
  d: PtxOperand,
  p: PtxOperand | undefined,
): void {
  const { code } = warp;
  const from = warp.quadsOf(a);
  const to = warp.quadsOf(d);
  const [first = 0] = sources;
  if (from !== undefined && to !== undefined) {
    if (sources.every((source) => source === first)) {
      const value = code.temp("v128");
      warp.pushSplat(from, first);
      code.set(value);
      warp.fill(to, value);
      code.release("v128", value);
    } else emitPermutation(warp, sources, from, to);
  }
  const flag = warp.quadsOf(p);
  if (flag === undefined) return;
  for (let quad = 0; quad < QUADS; quad++) {
    const flags = isInRange.slice(4 * quad, 4 * quad + 4).map(Number);
    warp.store(flag, quad, () => code.v128(flags));
  }
}

function emitPermutation(warp: WholeWarp, sources: readonly number[], from: number, to: number): void {
  const { code } = warp;
  const locals = new Map<number, number>();
  for (const quad of new Set(sources.map((source) => source >> 2))) {
    const local = code.temp("v128");
    warp.push(from, quad);
    code.set(local);
    locals.set(quad, local);
  }
  for (let quad = 0; quad < QUADS; quad++) {
    const lanes = sources.slice(4 * quad, 4 * quad + 4);
    const quads = [...new Set(lanes.map((source) => source >> 2))];
    warp.store(to, quad, () => {
      quads.forEach((each, step) => {
        code.get(locals.get(each) ?? 0);
        // With one source the vector is shuffled with itself; with more, each step puts in the lanes of one.
        if (step === 0 && quads.length > 1) return;
        const isFirst = quads.length === 1;
        if (isFirst && lanes.every((source, lane) => (source & 3) === lane)) return;
        if (isFirst) code.get(locals.get(each) ?? 0);
        code.shuffle32(lanes.map((source, lane) => {
          if (source >> 2 === each) return (source & 3) + (isFirst ? 0 : 4);
          return step === 1 ? source & 3 : lane;
        }));
      });
    });
  }
  for (const local of locals.values()) code.release("v128", local);
}

function clearScratch(x: Exchange): void {
  for (let quad = 0; quad < QUADS; quad++) {
    x.pushScratch();
    x.code.v128([0, 0, 0, 0]);
    x.code.memory("v128Store", x.scratchOffset(16 * quad));
  }
}

function copyToScratch(x: Exchange, warp: WholeWarp, a: PtxOperand): void {
  const from = warp.quadsOf(a);
  if (from === undefined) return;
  for (let quad = 0; quad < QUADS; quad++) {
    x.pushScratch();
    warp.push(from, quad);
    x.code.memory("v128Store", x.scratchOffset(16 * quad));
  }
}

/** Puts each lane's value into its place in scratch memory. */
function gather(x: Exchange, a: PtxOperand): void {
  x.forEachLane((lane) => {
    x.pushScratch(lane);
    x.emitter.push(a, "b32");
    x.code.memory("i32Store", x.scratchOffset());
  });
}

interface Operands {
  readonly d: PtxOperand;
  readonly p: PtxOperand | undefined;
  readonly b: PtxOperand;
  readonly c: PtxOperand;
}

/** Gives each lane the value of its source; a lane reads only its own b and c. */
function scatter(x: Exchange, mode: Mode, { d, p, b, c }: Operands): void {
  const { code, emitter } = x;
  const f = new Formula(code, x.parts);
  const [source, last, segment, isIn] = [
    f.variable("i32"),
    f.variable("i32"),
    f.variable("i32"),
    f.variable("i32"),
  ];
  const known = c.kind === "integer" ? Number(c.value) : undefined;
  const isOneSegment = known !== undefined && (known >> 8 & 31) === 0;
  // Without a bound below the last lane, a source of these modes is always there.
  const isAlwaysIn = known !== undefined && (known & 31) === 31 &&
    (mode === "idx" || (mode === "bfly" && isOneSegment));
  x.forEachLane((local) => {
    const lane = f.param(local, "i32");
    const masked = (operand: PtxOperand, shift: number): Value => {
      if (operand.kind === "integer") return f.i32(Number(operand.value >> BigInt(shift) & 31n));
      const value = f.value("i32", () => emitter.push(operand, "b32"));
      return (shift > 0 ? value.shrU(shift) : value).and(31);
    };
    const within = (inner: Value): Value =>
      isOneSegment ? inner : lane.and(segment).or(inner.and(segment.xor(-1)));
    if (!isOneSegment) segment.set(masked(c, 8));
    const amount = masked(b, 0);
    source.set(
      mode === "idx"
        ? within(amount)
        : mode === "up"
        ? lane.sub(amount)
        : mode === "down"
        ? lane.add(amount)
        : lane.xor(amount),
    );
    if (isAlwaysIn) isIn.set(1);
    else {
      last.set(within(masked(c, 0)));
      isIn.set(mode === "up" ? source.ge(last) : source.le(last));
      source.set(isIn.select(source, lane));
    }
    x.pushScratch(source.index);
    code.memory("i32Load", x.scratchOffset());
    emitter.set(d, "b32");
    if (p === undefined) return;
    isIn.push();
    emitter.set(p, "pred");
  });
  f.release();
}

export const SHUFFLE_ROWS: readonly OpcodeRow[] = [
  {
    name: "shfl",
    types: [["b32", "u32", "s32", "f32"]],
    modifiers: [...MODES, "sync"],
    operands: [4, 5],
    effect: "warp",
    lattice: "varying",
    check: checkShuffle,
    exchange: emitShuffle,
    members: (e, i) => e.push(operandAt(i, 4), "b32"),
  },
];
