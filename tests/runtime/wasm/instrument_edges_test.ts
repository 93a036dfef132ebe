// The instrumenter at the edges: limits from both sides, and attempts to win fuel or to survive a stop.
import assert from "node:assert/strict";
import { instrumentModule } from "../../../runtime/wasm/instrument.ts";
import { instantiateInstrumented, type InstrumentedInstance } from "../../support/instrumented.ts";
import { func, I32, moduleOf, name, section, u, vec } from "../../support/module_bytes.ts";

const LIMITS = { memoryPagesMax: 65_536, tableElementsMax: 10_000_000 };
const STOP_AT_TICK = 5;

/** A body of one group of locals, or none, and code. */
function body(code: readonly number[], localCount = 0): number[] {
  const content = [...(localCount === 0 ? [0] : [1, ...u(localCount), I32]), ...code, 0x0b];
  return [...u(content.length), ...content];
}

/** A module with one function `run` of no parameters, and sections in front of its exports. */
function moduleWith(
  code: readonly number[],
  localCount = 0,
  ...before: readonly number[][]
): Uint8Array<ArrayBuffer> {
  return moduleOf(
    section(1, vec(func())),
    section(3, [1, 0]),
    ...before,
    section(7, vec([...name("run"), 0, 0])),
    section(10, vec(body(code, localCount))),
  );
}

/** A pattern of bytes, so many times. */
function times(count: number, ...bytes: readonly number[]): number[] {
  return Array.from({ length: count * bytes.length }, (_, index) => bytes[index % bytes.length] ?? 0);
}

function i64(value: bigint): number[] {
  const bytes: number[] = [0x42];
  for (let rest = BigInt.asIntN(64, value);;) {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    if (rest === 0n && low < 0x40 || rest === -1n && low >= 0x40) return [...bytes, low];
    bytes.push(low | 0x80);
  }
}

function i32(value: number): number[] {
  return [0x41, ...i64(BigInt(value | 0)).slice(1)];
}

function instrumented(bytes: Uint8Array<ArrayBuffer>): WebAssembly.Module {
  assert.ok(WebAssembly.validate(bytes), "the engine takes the original");
  return new WebAssembly.Module(instrumentModule(bytes, LIMITS));
}

function refuses(bytes: Uint8Array<ArrayBuffer>, message: RegExp): void {
  assert.throws(() => instrumentModule(bytes, LIMITS), {
    name: "RuntimeFault",
    code: "invalid_wasm",
    message,
  });
}

/** Runs `run` until the stop; the fuel must never grow without a tick. */
function assertStops(bytes: Uint8Array<ArrayBuffer>): InstrumentedInstance {
  const instance = instantiateInstrumented(instrumented(bytes), {}, {
    refill: 1000,
    stopAtTick: STOP_AT_TICK,
  });
  const run = instance.exports["run"];
  assert.ok(typeof run === "function");
  assert.throws(() => run(), { name: "RuntimeError", message: "unreachable" });
  assert.equal(instance.tickCount(), STOP_AT_TICK);
  return instance;
}

Deno.test("instrumentModule() takes functions with the most locals, whether one more fits or not", () => {
  const endless = [0x03, 0x40, 0x0c, 0, 0x0b];
  for (const count of [49_998, 49_999, 50_000]) assertStops(moduleWith(endless, count));
  refuses(moduleWith(endless, 50_001), /too many locals/);
});

Deno.test("instrumentModule() keeps regions with the most locals correct", () => {
  // Counts in the last local, with a call in the loop.
  const last = 49_999;
  const loop = [
    0x03,
    0x40,
    0x20,
    ...u(last),
    0x41,
    1,
    0x6a,
    0x22,
    ...u(last),
    ...i32(1000),
    0x48,
    0x0d,
    0,
    0x0b,
  ];
  for (const count of [last + 1, last]) {
    const code = count > last
      ? loop
      : loop.join().replaceAll(u(last).join(), u(last - 1).join()).split(",").map(Number);
    const instance = instantiateInstrumented(instrumented(moduleWith(code, count)), {}, { refill: 10 });
    const run = instance.exports["run"];
    assert.ok(typeof run === "function");
    run();
    assert.ok(instance.tickCount() > 10);
  }
});

Deno.test("instrumentModule() takes loops inside each other up to its limit", () => {
  const nested = (depth: number): number[] => [
    ...times(depth, 0x03, 0x40, 0x41, 0, 0x0d, 0),
    0x0c,
    0,
    ...times(depth, 0x0b),
  ];
  assertStops(moduleWith(nested(10_000)));
  refuses(moduleWith(nested(10_001)), /nesting limit/);
});

Deno.test("instrumentModule() takes a branch table with the most targets", () => {
  const table = (count: number): number[] => [
    ...[0x02, 0x40, 0x03, 0x40, 0x41, 1, 0x0e, ...u(count)],
    ...times(count, 0),
    ...[1, 0x0b, 0x0b],
  ];
  assertStops(moduleWith(table(65_520)));
  refuses(moduleWith(table(65_521)), /branch targets limit is 65520, got 65521/);
});

Deno.test("instrumentModule() takes the most globals that leave room for its own", () => {
  const globals = (count: number): Uint8Array<ArrayBuffer> =>
    moduleOf(section(6, [...u(count), ...times(count, I32, 0, 0x41, 0, 0x0b)]));
  assert.ok(instrumented(globals(999_998)));
  refuses(globals(999_999), /globals limit is 1000000, got 1000001/);
});

Deno.test("a guest wins no fuel by lengths of 64 bits that wrap", () => {
  const table = section(4, vec([0x70, 5, 0, 10]));
  for (const length of [((1n << 32n) - (1n << 30n)) << 5n, 1n << 37n, -1n, 1n << 63n, (1n << 58n) - 1n]) {
    const grow = [0xd0, 0x70, ...i64(length), 0xfc, 15, 0, 0x1a];
    assertStops(moduleWith([0x03, 0x40, ...grow, 0x0c, 0, 0x0b], 0, table));
  }
});

Deno.test("a guest wins no fuel by the sum of dear instructions", () => {
  const memory = section(5, vec([0, 0]));
  // Each costs 2000 or so: together more than 31 bits hold.
  const grows = [0x41, 0, ...times(1_100_000, 0x40, 0), 0x1a];
  const instance = instantiateInstrumented(instrumented(moduleWith(grows, 0, memory)), {}, {
    refill: 1000,
    stopAtTick: 1,
  });
  const run = instance.exports["run"];
  assert.ok(typeof run === "function");
  assert.throws(() => run(), /unreachable/);
  assert.ok(instance.fuelUsed() > 1_000_000);
});

Deno.test("an endless loop that catches everything ends with the stack that overflows in it", () => {
  // run: loop { try { run() } catch_all {} }
  const code = [0x03, 0x40, 0x06, 0x40, 0x10, 0, 0x19, 0x0b, 0x0c, 0, 0x0b];
  const module = instrumented(moduleWith(code));
  const instance = instantiateInstrumented(module, {}, { refill: 10_000_000, stopAtTick: 3 });
  const run = instance.exports["run"];
  assert.ok(typeof run === "function");
  assert.throws(() => run(), { name: "RangeError" });
});
