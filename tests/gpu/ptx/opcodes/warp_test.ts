/**
 * Operations of a warp against what the PTX ISA's pseudocode says, for whole and for partial warps, first and
 * later ones, and with results in the registers that were read.
 */
import assert from "node:assert/strict";
import { OneExchange } from "./one_exchange.ts";

const ALL = 0xffff_ffff;
const LANES = Array.from({ length: 32 }, (_, lane) => lane);

/** A small generator, so that a failure comes again. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) >>> 0;
  };
}

const next = random(7);
const MASKS = [ALL, 1, 0x8000_0000, 0x0000_ffff, 0xaaaa_aaaa, 0x0f0f_1234, next(), next()] as const;

function takesPart(who: number, lane: number): boolean {
  return (who >>> lane & 1) === 1;
}

function values(count = 32): bigint[] {
  return Array.from({ length: count }, () => BigInt(next()));
}

/** PTX ISA 9.7.9.6, the pseudocode. */
function shuffled(mode: string, lane: number, b: number, c: number): { source: number; isIn: boolean } {
  const segment = c >> 8 & 31;
  const last = (lane & segment) | (c & 31 & ~segment);
  const first = lane & segment;
  const amount = b & 31;
  let source: number;
  let isIn: boolean;
  if (mode === "up") [source, isIn] = [lane - amount, lane - amount >= last];
  else if (mode === "down") [source, isIn] = [lane + amount, lane + amount <= last];
  else if (mode === "bfly") [source, isIn] = [lane ^ amount, (lane ^ amount) <= last];
  else [source, isIn] = [first | (amount & ~segment), (first | (amount & ~segment)) <= last];
  return { source: isIn ? source : lane, isIn };
}

const CLAMPS = [31, 0, 0x1c1f, 0x1e00, 0x100f, 0x180f, 0x1f1f, 7, 0x0a15] as const;

function checkShuffle(
  exchange: OneExchange,
  mode: string,
  amounts: readonly number[],
  clamps: readonly number[],
  { source, result, flag }: { source: string; result: string; flag: string | undefined },
): void {
  for (const who of MASKS) {
    const first = who === 0x0000_ffff ? 32 : 0;
    const input = values();
    exchange.setAll(result, LANES.map(() => 0x1234n), first);
    exchange.setAll(source, input, first);
    if (flag !== undefined) exchange.setAll(flag, LANES.map(() => 0n), first);
    exchange.run(who, first);
    for (const lane of LANES) {
      const before = source === result ? input[lane] : 0x1234n;
      const { source: from, isIn } = shuffled(mode, lane, amounts[lane] ?? 0, clamps[lane] ?? 0);
      const after = !takesPart(who, lane) ? before : takesPart(who, from) ? input[from] : 0n;
      const about = `${mode} ${amounts[lane]} ${clamps[lane]} lane ${lane} of ${who.toString(16)}`;
      assert.equal(exchange.get(result, first + lane), after, about);
      if (flag !== undefined) {
        assert.equal(exchange.get(flag, first + lane), takesPart(who, lane) && isIn ? 1n : 0n, about);
      }
    }
  }
}

Deno.test("shfl.sync reads the lane that the pseudocode says, with constant b and c", () => {
  for (const mode of ["up", "down", "bfly", "idx"]) {
    for (const [turn, b] of [0, 1, 2, 3, 5, 8, 16, 31].entries()) {
      // Each amount with a third of the clamps, all of them in turn.
      for (const c of CLAMPS.filter((_, index) => index % 3 === turn % 3)) {
        const text = `shfl.sync.${mode}.b32 %r0|%p0, %r1, ${b}, ${c}, -1`;
        const uniform = (value: number): number[] => LANES.map(() => value);
        checkShuffle(new OneExchange(text), mode, uniform(b), uniform(c), {
          source: "%r1",
          result: "%r0",
          flag: "%p0",
        });
      }
    }
  }
});

Deno.test("shfl.sync reads the lane that the pseudocode says, with b and c of each lane", () => {
  for (const mode of ["up", "down", "bfly", "idx"]) {
    const exchange = new OneExchange(`shfl.sync.${mode}.b32 %f0|%p1, %f1, %r2, %r3, -1`);
    for (let round = 0; round < 20; round++) {
      const amounts = LANES.map(() => next() >>> 3);
      const clamps = LANES.map(() => next() & 0x1f1f);
      exchange.setAll("%r2", amounts.map(BigInt));
      exchange.setAll("%r2", amounts.map(BigInt), 32);
      exchange.setAll("%r3", clamps.map(BigInt));
      exchange.setAll("%r3", clamps.map(BigInt), 32);
      checkShuffle(exchange, mode, amounts, clamps, { source: "%f1", result: "%f0", flag: "%p1" });
    }
  }
});

Deno.test("shfl.sync may write the register that it reads", () => {
  for (const [mode, b] of [["bfly", 1], ["down", 3], ["up", 4], ["idx", 9]] as const) {
    const uniform = LANES.map(() => b);
    const text = `shfl.sync.${mode}.b32 %r1, %r1, ${b}, ${mode === "up" ? 0 : 31}, -1`;
    const names = { source: "%r1", result: "%r1", flag: undefined };
    checkShuffle(new OneExchange(text), mode, uniform, LANES.map(() => mode === "up" ? 0 : 31), names);
  }
  const exchange = new OneExchange("shfl.sync.idx.b32 %r1, %r1, %r1, 31, -1");
  const amounts = values();
  exchange.setAll("%r1", amounts);
  exchange.run();
  assert.deepEqual(exchange.getAll("%r1"), LANES.map((lane) => amounts[Number((amounts[lane] ?? 0n) & 31n)]));
});

Deno.test("shfl without .sync has no members, with it those that it names", () => {
  assert.equal(new OneExchange("shfl.bfly.b32 %r0, %r1, 1, 31").members(), undefined);
  const exchange = new OneExchange("shfl.sync.bfly.b32 %r0, %r1, 1, 31, %r2");
  const masks = values();
  exchange.setAll("%r2", masks);
  assert.deepEqual(exchange.members(), masks.map(Number));
  assert.deepEqual(new OneExchange("bar.warp.sync 0xff").members(), LANES.map(() => 255));
});

function bits(who: number, test: (lane: number) => boolean): number {
  return LANES.filter((lane) => takesPart(who, lane) && test(lane)).reduce((sum, lane) => sum + 2 ** lane, 0);
}

Deno.test("vote asks the lanes that take part", () => {
  const modes = ["all.pred %p0", "any.pred %p0", "uni.pred %p0", "ballot.b32 %r0"];
  for (const operand of ["%p1", "!%p1", "1"]) {
    for (const mode of modes) {
      const exchange = new OneExchange(`vote.sync.${mode}, ${operand}, -1`);
      const result = mode.includes("ballot") ? "%r0" : "%p0";
      for (
        const predicates of [() => true, () => false, () => (next() & 4) !== 0, (lane: number) => lane === 31]
      ) {
        for (const who of MASKS) {
          const given = LANES.map(predicates);
          if (operand !== "1") exchange.setAll("%p1", given.map((each) => each ? 1n : 0n), 32);
          exchange.setAll(result, LANES.map(() => 0n), 32);
          exchange.run(who, 32);
          const votes = bits(who, (lane) => operand === "1" || given[lane] === (operand === "%p1"));
          const answer = {
            "all.pred %p0": votes === who ? 1 : 0,
            "any.pred %p0": votes !== 0 ? 1 : 0,
            "uni.pred %p0": votes === 0 || votes === who ? 1 : 0,
            "ballot.b32 %r0": votes,
          }[mode];
          const expected = LANES.map((lane) => takesPart(who, lane) ? BigInt(answer ?? 0) : 0n);
          assert.deepEqual(exchange.getAll(result, 32), expected, `${mode} ${operand} ${who.toString(16)}`);
        }
      }
    }
  }
});

Deno.test("activemask and elect.sync", () => {
  const [active, elect] = [new OneExchange("activemask.b32 %r0"), new OneExchange("elect.sync %r0|%p0, -1")];
  for (const who of MASKS) {
    for (const exchange of [active, elect]) {
      exchange.setAll("%r0", LANES.map(() => 99n));
      exchange.run(who);
    }
    const leader = LANES.findIndex((lane) => takesPart(who, lane));
    for (const lane of LANES) {
      const isIn = takesPart(who, lane);
      assert.equal(active.get("%r0", lane), isIn ? BigInt(who) : 99n);
      assert.equal(elect.get("%r0", lane), isIn ? BigInt(leader) : 99n);
      if (isIn) assert.equal(elect.get("%p0", lane), lane === leader ? 1n : 0n);
    }
  }
});

Deno.test("match.sync finds lanes with the same value", () => {
  for (const [type, source] of [["b32", "%r1"], ["b64", "%l1"], ["b32", "%f1"]] as const) {
    const any = new OneExchange(`match.any.sync.${type} %r0, ${source}, -1`);
    const all = new OneExchange(`match.all.sync.${type} %r0|%p0, ${source}, -1`);
    for (const kinds of [1, 2, 5, 32]) {
      for (const who of MASKS) {
        const pool = Array.from({ length: kinds }, () => BigInt(next()) << (type === "b64" ? 31n : 0n));
        const given = LANES.map(() => pool[next() % kinds] ?? 0n);
        for (const exchange of [any, all]) {
          exchange.setAll(source, given);
          exchange.run(who);
        }
        const members = LANES.filter((lane) => takesPart(who, lane));
        const isSame = new Set(members.map((lane) => given[lane])).size === 1;
        for (const lane of members) {
          assert.equal(any.get("%r0", lane), BigInt(bits(who, (other) => given[other] === given[lane])));
          assert.equal(all.get("%r0", lane), isSame ? BigInt(who) : 0n);
          assert.equal(all.get("%p0", lane), isSame ? 1n : 0n);
        }
      }
    }
  }
});

Deno.test("redux.sync reduces integers", () => {
  const big = (lane: bigint): bigint => BigInt.asIntN(32, lane);
  const operations: readonly [string, (a: bigint, b: bigint) => bigint][] = [
    ["add.u32", (a, b) => BigInt.asUintN(32, a + b)],
    ["add.s32", (a, b) => BigInt.asUintN(32, a + b)],
    ["min.u32", (a, b) => a < b ? a : b],
    ["max.u32", (a, b) => a > b ? a : b],
    ["min.s32", (a, b) => big(a) < big(b) ? a : b],
    ["max.s32", (a, b) => big(a) > big(b) ? a : b],
    ["and.b32", (a, b) => a & b],
    ["or.b32", (a, b) => a | b],
    ["xor.b32", (a, b) => a ^ b],
  ];
  for (const [name, fold] of operations) {
    const exchange = new OneExchange(`redux.sync.${name} %r0, %r1, -1`);
    for (const who of [...MASKS, ALL, ALL]) {
      const given = values();
      exchange.setAll("%r1", given);
      exchange.run(who);
      const members = LANES.filter((lane) => takesPart(who, lane));
      const expected = members.map((lane) => given[lane] ?? 0n).reduce(fold);
      for (const lane of members) assert.equal(exchange.get("%r0", lane), expected, name);
    }
  }
});

Deno.test("teams that come together stay apart", () => {
  // Each lane names its own team of four as members; lanes 20 and 22 do not take part.
  const teamOf = (lane: number): number => 0xf << (lane & ~3) >>> 0;
  const who = 0xffaf_ffff;
  const forms: readonly [string, string, (team: number) => (lane: number) => bigint][] = [
    ["vote.sync.ballot.b32 %r0, %p0, %r2", "%r0", (team) => () => BigInt(team & 0x6d6d_6d6d) & 0xffff_ffffn],
    ["vote.sync.any.pred %p1, !%p0, %r2", "%p1", (team) => () => (team & ~0x6d6d_6d6d) === 0 ? 0n : 1n],
    ["match.any.sync.b32 %r0, %r1, %r2", "%r0", (team) => () => BigInt(team >>> 0)],
    ["match.all.sync.b32 %r0|%p1, %r1, %r2", "%p1", () => () => 1n],
    [
      "redux.sync.add.u32 %r0, %r1, %r2",
      "%r0",
      (team) => () => 3n * BigInt(bits(team, () => true).toString(2).replaceAll("0", "").length),
    ],
    ["elect.sync %r0|%p1, %r2", "%r0", (team) => () => BigInt(31 - Math.clz32(team & -team))],
  ];
  for (const [text, result, expected] of forms) {
    for (const lanes of [ALL, who]) {
      const exchange = new OneExchange(text);
      exchange.setAll("%r2", LANES.map((lane) => BigInt(teamOf(lane))));
      if (text.includes("%r1")) exchange.setAll("%r1", LANES.map(() => 3n));
      if (text.includes("%p0")) exchange.setAll("%p0", LANES.map((lane) => BigInt(0x6d6d_6d6d >>> lane & 1)));
      exchange.run(lanes);
      for (const lane of LANES.filter((each) => takesPart(lanes, each))) {
        const team = teamOf(lane) & lanes;
        assert.equal(exchange.get(result, lane), expected(team)(lane), `${text} ${lane}`);
      }
    }
  }
});

const FLOATS = new DataView(new ArrayBuffer(4));
function f32Bits(value: number): bigint {
  FLOATS.setFloat32(0, value);
  return BigInt(FLOATS.getUint32(0));
}

Deno.test("redux.sync of floats passes over NaN, or gives it with .NaN", () => {
  for (const [op, pick] of [["min", Math.min], ["max", Math.max]] as const) {
    for (const abs of ["", ".abs"]) {
      for (const nan of ["", ".NaN"]) {
        const exchange = new OneExchange(`redux.sync.${op}${abs}${nan}.f32 %f0, %f1, -1`);
        for (const nans of [0, 3, 32]) {
          const given = LANES.map((lane) => lane < nans ? NaN : Math.fround((next() - 2 ** 31) / 1e9));
          exchange.setAll("%f1", given.map(f32Bits));
          exchange.run();
          const seen = given.map((each) => abs === "" ? each : Math.abs(each));
          const numbers = nan === "" ? seen.filter((each) => !Number.isNaN(each)) : seen;
          const best = numbers.length === 0 ? NaN : pick(...numbers);
          const expected = Number.isNaN(best) ? 0x7fff_ffffn : f32Bits(best);
          assert.deepEqual(exchange.getAll("%f0"), LANES.map(() => expected), `${op}${abs}${nan} ${nans}`);
        }
      }
    }
  }
});

Deno.test("what the PTX ISA does not have is refused", () => {
  for (
    const text of [
      "shfl.sync.b32 %r0, %r1, 1, 31, -1",
      "shfl.sync.bfly.b32 %r0, %r1, 1, 31",
      "vote.sync.all.b32 %r0, %p1, -1",
      "vote.sync.pred %p0, %p1, -1",
      "redux.sync.add.b32 %r0, %r1, -1",
      "redux.sync.and.u32 %r0, %r1, -1",
      "redux.sync.add.f32 %f0, %f1, -1",
      "match.any.sync.b16 %r0, %h1, -1",
    ]
  ) assert.throws(() => new OneExchange(text), { name: "PtxError" }, text);
});
