/** Instrumented guests as fibers: how they are stopped, what is metered, and that they share the thread. */
import assert from "node:assert/strict";
import { compileGuest, FiberCell } from "../../support/fiber_cell.ts";
import type { FiberCall } from "../../support/fiber_cell.ts";
import type { CallResult } from "../../../runtime/cell/instance.ts";
import type { Outcome } from "../../../runtime/model/outcome.ts";
import type { CallMeta } from "../../../runtime/wire/messages.ts";
import { call, localGet, localSet } from "../../support/instructions.ts";
import { brIf, EMPTY, i32, I32_ADD, I32_SUB, loop } from "../../support/instructions.ts";
import { ModuleAssembler } from "../../support/module_assembler.ts";
import { func, I32 } from "../../support/module_bytes.ts";

const FIB: Partial<CallMeta> = { export: "fib", args: [{ type: "i32", value: 15 }], resultTypes: ["i32"] };
const FIB_RESULT: Outcome = { type: "returned", values: [{ type: "i32", value: 610 }] };
const RETURNED: Outcome = { type: "returned", values: [] };

function run(guest: string | Uint8Array, meta: Partial<CallMeta> = {}): Promise<CallResult> {
  return FiberCell.manual().run(guest, meta);
}

function assertDeadline(outcome: Outcome, deadlineMs: number): void {
  assert.ok(outcome.type === "exhausted" && outcome.limit === "deadline_ms", JSON.stringify(outcome));
  assert.equal(outcome.max, deadlineMs);
  assert.ok(outcome.actual >= deadlineMs && outcome.actual <= deadlineMs + 2, `${outcome.actual}`);
}

const ENDLESS = [
  ["spin", "in its export", {}, ["call", "spawn", "terminate"]],
  ["spin_start", "in its start function", {}, ["spawn", "terminate"]],
  ["hostile_loop_initialize", "in _initialize", { initialize: true }, ["initialize", "spawn", "terminate"]],
  ["catch_all_spin", "inside catch_all", {}, ["call", "spawn", "terminate"]],
  ["hostile_sleep_in_start_function", "asleep in its start function", {}, ["spawn", "terminate"]],
  ["hostile_random_huge", "in a host function", {}, ["call", "spawn", "terminate"]],
  ["hostile_tail_call_mutual", "in tail calls", {}, ["call", "spawn", "terminate"]],
] as const;

for (const [guest, where, meta, hops] of ENDLESS) {
  Deno.test(`a guest that is endless ${where} is stopped at its deadline, its hops ended`, async () => {
    const { meta: result } = await run(guest, { ...meta, deadlineMs: 8 });
    assertDeadline(result.outcome, 8);
    assert.deepEqual(result.spans.map((span) => span.hop).sort(), [...hops]);
    const spawn = result.spans.find((span) => span.hop === "spawn");
    assert.equal(spawn?.reason, "deadline_elapsed");
  });
}

Deno.test("a call whose time is over before its turn comes never begins", async () => {
  const { meta, output } = await run("echo", { export: "_start", deadlineMs: 1000, remainingMs: 0 });
  assertDeadline(meta.outcome, 1000);
  assert.deepEqual(meta.spans.map((span) => span.hop), ["terminate", "spawn"]);
  assert.equal(output.length, 0);
  assert.equal(meta.usage.fuel, 0);
});

Deno.test("fuel is the same each time, whatever the pace of the machine and who else runs", async () => {
  const fuels = new Set<number>();
  for (const lookMs of [0, 0.01, 0.25, 0.75, 2]) {
    const cell = FiberCell.manual({ lookMs });
    const fib = await compileGuest("fib");
    const calls = Array.from({ length: 3 }, (_, tenant) => cell.submit(fib, { ...FIB, tenant: `${tenant}` }));
    await cell.finish();
    for (const { result } of calls) {
      const { meta } = await result;
      assert.deepEqual(meta.outcome, FIB_RESULT);
      fuels.add(meta.usage.fuel);
    }
  }
  assert.equal(fuels.size, 1);
});

for (const lookMs of [0, 0.25, 2]) {
  Deno.test(`a guest may use exactly its fuel, and not one unit more (${lookMs} ms a look)`, async () => {
    const withFuel = async (fuelMax: number): Promise<CallResult["meta"]> =>
      (await FiberCell.manual({ lookMs }).run("fib", { ...FIB, fuelMax })).meta;
    const { fuel } = (await withFuel(0)).usage;
    assert.ok(fuel > 10_000);
    const enough = await withFuel(fuel);
    assert.deepEqual(enough.outcome, FIB_RESULT);
    assert.equal(enough.usage.fuel, fuel);
    const { outcome } = await withFuel(fuel - 1);
    assert.ok(outcome.type === "exhausted" && outcome.limit === "fuel", JSON.stringify(outcome));
    assert.equal(outcome.max, fuel - 1);
    assert.ok(outcome.actual >= fuel, `${outcome.actual}`);
  });
}

Deno.test("a spinning guest is stopped at its fuel", async () => {
  const { meta } = await run("spin", { fuelMax: 1_000_000 });
  assert.ok(meta.outcome.type === "exhausted" && meta.outcome.limit === "fuel");
  assert.ok(meta.usage.fuel > 1_000_000 && meta.usage.fuel < 1_000_100, `${meta.usage.fuel}`);
});

Deno.test("a guest that catches its exit and goes on ends with its exit", async () => {
  for (
    const [guest, name, exitCode] of [
      ["catch_all_exit", "_start", 7],
      ["catch_all_exit", "spin", 7],
      ["catch_all_exit_legacy", "_start", 7],
      ["catch_all_exit_legacy", "spin", 7],
      ["hostile_exit_stop_caught", "spin", 7],
      ["hostile_exit_stop_caught", "exit_again", 7],
      ["hostile_exit_stop_caught", "trap", 7],
    ] as const
  ) {
    const { meta } = await run(guest, { export: name });
    assert.deepEqual(meta.outcome, { type: "exited", exitCode }, `${guest} ${name}`);
    assert.ok(meta.usage.fuel >= 0, `${guest} ${name}: ${meta.usage.fuel}`);
  }
});

Deno.test("a guest that catches its exit cannot sleep on it", async () => {
  const cell = FiberCell.manual();
  const { meta } = await cell.run("hostile_exit_stop_caught", { export: "sleep" });
  assert.deepEqual(meta.outcome, { type: "exited", exitCode: 7 });
  assert.ok(cell.host.timeMs < 10, `${cell.host.timeMs}`);
});

/** Runs a call until `isReached`, cancels it, and runs it to its end. */
async function cancelWhen(
  cell: FiberCell,
  { fiber, result }: FiberCall,
  isReached: () => boolean,
): Promise<CallResult["meta"]> {
  await cell.host.runUntil(isReached);
  cell.scheduler.cancel(fiber, { type: "cancelled", by: "client" });
  await cell.host.runUntil(() => cell.scheduler.size === 0);
  assert.equal(cell.host.timerCount, 0);
  return (await result).meta;
}

Deno.test("a cancel wakes a guest that sleeps, and ends it", async () => {
  const cell = FiberCell.manual();
  const sleeper = cell.submit(await compileGuest("sleep"), {
    export: "_start",
    programArgs: ["sleep", "20000"],
  });
  const meta = await cancelWhen(cell, sleeper, () => cell.host.timerCount === 1);
  assert.deepEqual(meta.outcome, { type: "cancelled", by: "client" });
  assert.equal(meta.spans.find((span) => span.hop === "call")?.reason, "cancelled");
  assert.ok(cell.host.timeMs < 10, `${cell.host.timeMs}`);
});

Deno.test("a cancel ends a guest that spins, at its next turn", async () => {
  const cell = FiberCell.manual();
  const spinner = cell.submit(await compileGuest("spin"));
  const meta = await cancelWhen(cell, spinner, () => cell.host.timeMs > 20);
  assert.deepEqual(meta.outcome, { type: "cancelled", by: "client" });
  assert.ok(cell.host.timeMs < 25, `${cell.host.timeMs}`);
});

Deno.test("a call that is cancelled before its turn never begins", async () => {
  const cell = FiberCell.manual();
  const { fiber, result } = cell.submit(await compileGuest("spin"));
  cell.scheduler.cancel(fiber, { type: "cancelled", by: "drain" });
  await cell.finish();
  const { meta } = await result;
  assert.deepEqual(meta.outcome, { type: "cancelled", by: "drain" });
  assert.deepEqual(meta.spans.map((span) => span.hop), ["terminate", "spawn"]);
});

Deno.test("a sleeping guest wakes in time while another one spins", async () => {
  const cell = FiberCell.real();
  const spinner = cell.submit(await compileGuest("spin"), { deadlineMs: 5000, tenant: "1" });
  const sleeper = cell.submit(await compileGuest("sleep"), {
    export: "_start",
    programArgs: ["sleep", "5"],
  });
  const { meta, output } = await sleeper.result;
  assert.deepEqual(meta.outcome, RETURNED);
  assert.equal(new TextDecoder().decode(output), "slept 5 ms\n");
  cell.scheduler.cancel(spinner.fiber, { type: "cancelled", by: "client" });
  await cell.finish();
});

Deno.test("a short guest overtakes those that spin", async () => {
  const cell = FiberCell.manual();
  const spin = await compileGuest("spin");
  for (let index = 0; index < 20; index++) cell.submit(spin, { deadlineMs: 1000 });
  await cell.host.runUntil(() => cell.host.timeMs > 100);
  const { result } = cell.submit(await compileGuest("add"), {
    export: "add",
    args: [{ type: "i32", value: 1 }, { type: "i32", value: 2 }],
    resultTypes: ["i32"],
  });
  const beganMs = cell.host.timeMs;
  let endedMs = Infinity;
  void result.then(() => endedMs = cell.host.timeMs);
  await cell.host.runUntil(() => endedMs < Infinity);
  assert.ok(endedMs - beganMs < 5, `${endedMs - beganMs}`);
  cell.scheduler.cancelAll({ type: "cancelled", by: "drain" });
  await cell.finish();
});

/** Calls a function of the host that gives way, `times` times, and returns the sum of its answers. */
function offering(module: string, field: string, times: number): Uint8Array {
  const assembler = new ModuleAssembler();
  const offer = assembler.importFunction(module, field, assembler.type(func([], [I32])));
  const type = assembler.type(func([], [I32]));
  const body = [
    ...i32(times),
    ...localSet(0),
    ...loop(EMPTY, localGet(1), call(offer), I32_ADD, localSet(1), [
      ...localGet(0),
      ...i32(1),
      ...I32_SUB,
      0x22,
      0,
    ], brIf(0)),
    ...localGet(1),
  ];
  assembler.export("run", "func", assembler.func(type, [[2, I32]], body));
  return assembler.toBytes();
}

for (
  const [module, field] of [
    ["wasi_snapshot_preview1", "sched_yield"],
    ["wasi:scheduler/host@0.1.0", "yield"],
  ] as const
) {
  Deno.test(`${field} gives way to whoever waits, and goes on with its locals intact`, async () => {
    // No slice ends before a thousand offers: they give way by themselves alone.
    const cell = FiberCell.real({ limits: { timeSliceMs: 1000 } });
    const offer = await compileGuest(offering(module, field, 10));
    const first = cell.submit(offer, { resultTypes: ["i32"], tenant: "a" });
    const second = cell.submit(offer, { resultTypes: ["i32"], tenant: "b" });
    await cell.finish();
    const yields: number[] = [];
    for (const { result } of [first, second]) {
      const { meta } = await result;
      assert.deepEqual(meta.outcome, { type: "returned", values: [{ type: "i32", value: 0 }] });
      yields.push(meta.usage.yields);
    }
    // They take turns.
    assert.deepEqual(yields, [10, 10]);
  });

  Deno.test(`${field} is no yield when nobody waits`, async () => {
    const cell = FiberCell.real();
    const { meta } = await cell.run(offering(module, field, 10), { resultTypes: ["i32"] });
    assert.equal(meta.usage.yields, 0);
  });

  Deno.test(`${field} in an endless loop ends at the deadline`, async () => {
    const { meta } = await run(offering(module, field, 0), { resultTypes: ["i32"], deadlineMs: 8 });
    assertDeadline(meta.outcome, 8);
  });
}

Deno.test("random_get of 192 MiB gives way to others in between", async () => {
  const cell = FiberCell.manual();
  const random = cell.submit(await compileGuest("hostile_random_huge"), { deadlineMs: 10, tenant: "a" });
  const noop = cell.submit(await compileGuest("noop"), { tenant: "b" });
  let noopEndedMs = Infinity;
  void noop.result.then(() => noopEndedMs = cell.host.timeMs);
  await cell.finish();
  assertDeadline((await random.result).meta.outcome, 10);
  assert.ok(noopEndedMs < 5, `${noopEndedMs}`);
});

Deno.test("usage says what a call has used: fuel, time on the thread, memory, yields", async () => {
  const cell = FiberCell.manual();
  const spin = await compileGuest("spin");
  const calls = [0, 1].map((tenant) => cell.submit(spin, { deadlineMs: 50, tenant: `${tenant}` }));
  await cell.finish();
  for (const { result } of calls) {
    const { usage } = (await result).meta;
    assert.ok(usage.fuel > 100_000, `${usage.fuel}`);
    assert.ok(usage.yields >= 10 && usage.yields <= 30, `${usage.yields}`);
    assert.ok(usage.cpuUs >= 10_000 && usage.cpuUs <= 30_000, `${usage.cpuUs}`);
    assert.equal(usage.memoryBytes, 0);
  }
  assert.equal((await run("noop_memory")).meta.usage.memoryBytes, 17 * 65_536);
  assert.equal(cell.memory.totalBytes, 0);
});

Deno.test("a guest whose memory grows beyond what its cell has is stopped, a small one is not", async () => {
  const cell = FiberCell.manual({ limits: { cellMemoryBytesMax: 64 * 2 ** 20 } });
  const bomb = cell.submit(await compileGuest("hostile_memory_grow_bomb"), { deadlineMs: 1000, tenant: "a" });
  const small = cell.submit(await compileGuest("noop_memory"), { tenant: "b" });
  const spinner = cell.submit(await compileGuest("spin"), { deadlineMs: 30, tenant: "c" });
  await cell.finish();
  const { outcome } = (await bomb.result).meta;
  assert.ok(outcome.type === "exhausted" && outcome.limit === "memory_bytes", JSON.stringify(outcome));
  assert.ok(outcome.actual > outcome.max);
  assert.deepEqual((await small.result).meta.outcome, RETURNED);
  assertDeadline((await spinner.result).meta.outcome, 30);
});

Deno.test("a guest that traps or throws while others are parked ends alone", async () => {
  const cell = FiberCell.manual();
  const spinner = cell.submit(await compileGuest("spin"), { deadlineMs: 20, tenant: "a" });
  await cell.host.runUntil(() => cell.host.timeMs > 5);
  const trapping = cell.submit(await compileGuest("trap_oob"), { tenant: "b" });
  const uncaught = cell.submit(await compileGuest("hostile_uncaught"), { export: "plain", tenant: "c" });
  await cell.finish();
  assert.deepEqual((await trapping.result).meta.outcome, { type: "trapped", trap: "memory_out_of_bounds" });
  assert.equal((await uncaught.result).meta.outcome.type, "trapped");
  assertDeadline((await spinner.result).meta.outcome, 20);
});

Deno.test("a thousand guests run side by side on one thread", async () => {
  const cell = FiberCell.manual({ lookMs: 1 / 64 });
  const fib = await compileGuest("fib");
  const calls = Array.from(
    { length: 1000 },
    (_, index) => cell.submit(fib, { ...FIB, tenant: `${index % 7}` }),
  );
  await cell.finish();
  for (const { result } of calls) assert.deepEqual((await result).meta.outcome, FIB_RESULT);
  assert.equal(cell.memory.totalBytes, 0);
});
