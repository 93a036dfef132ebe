/**
 * Guests that misbehave: each ends the way the contract says, is named for it, and nobody else notices.
 */
import assert from "node:assert/strict";
import { TestGateway } from "../support/gateway.ts";
import { func, I32, I64, moduleOf, name, section, V128, vec } from "../support/module_bytes.ts";
import { assertProblem, type ExpectedProblem } from "./problem.ts";
import { awaitSlotUsed } from "./stream_client.ts";

const GUESTS = [
  ...["add", "catch_all_exit", "catch_all_exit_legacy", "catch_all_spin", "exit_code", "flood_output"],
  ...["grow_memory", "huge_files", "noop", "sleep", "spin", "spin_start", "stack_overflow"],
  ...["trap_div0", "trap_oob", "trap_unreachable"],
];
const OUTPUT_BYTES_MAX = 4 * 1024 * 1024;
const FILE_BYTES_MAX = 8 * 1024 * 1024;
const MEMORY_BYTES_MAX = 64 * 1024 * 1024;
const HEAP_BYTES_MAX = 128 * 1024 * 1024;

/** One cell shows what a guest does to those behind it; the default shows that others do not wait for it. */
const POOLS: readonly (readonly [title: string, flags: readonly string[]])[] = [
  ["one cell", ["--cells-min", "1", "--cells-max", "1"]],
  ["the default pool", []],
];

const SHORT = { "x-tensorwasm-deadline-ms": "200" };
const TIMEOUT: ExpectedProblem = {
  status: 504,
  kind: "invoke_timeout",
  message: /^Call did not finish within its deadline: deadlineMs is 200, got \d+$/,
};

async function startGateway(flags: readonly string[]): Promise<TestGateway> {
  const gateway = await TestGateway.start({
    flags: [
      ...["--output-bytes-max", String(OUTPUT_BYTES_MAX), "--file-bytes-max", String(FILE_BYTES_MAX)],
      ...["--memory-bytes-max", String(MEMORY_BYTES_MAX), "--heap-bytes-max", String(HEAP_BYTES_MAX)],
      // Those that are to meet another limit have the time for it, on a slow machine too.
      ...["--deadline-ms", "300000", ...flags],
    ],
  });
  for (const guest of GUESTS) await gateway.deploy(guest);
  return gateway;
}

let gateways: readonly TestGateway[];

Deno.test.beforeAll(async () => {
  gateways = await Promise.all(POOLS.map(([, flags]) => startGateway(flags)));
});
Deno.test.afterAll(async () => {
  for (const gateway of gateways) await gateway[Symbol.asyncDispose]();
});

/** A test for each pool; they share its gateway and run in the order of this file. */
function onEachPool(what: string, run: (gateway: TestGateway) => Promise<void>): void {
  for (const [index, [title]] of POOLS.entries()) {
    Deno.test(`on ${title}, ${what}`, async () => {
      const gateway = gateways[index];
      assert.ok(gateway !== undefined);
      await run(gateway);
    });
  }
}

async function assertServes(gateway: TestGateway): Promise<void> {
  const response = await gateway.invoke("add", { export: "add", args: [20, 22] });
  assert.deepEqual((await response.json()).result, [42]);
}

/** `_initialize` of a given type beside a `run` that does nothing. */
function withInitialize(type: readonly number[], body: readonly number[]): Uint8Array<ArrayBuffer> {
  return moduleOf(
    section(1, vec(type, func())),
    section(3, vec([0], [1])),
    section(7, vec([...name("_initialize"), 0, 0], [...name("run"), 0, 1])),
    section(10, vec([body.length + 2, 0, ...body, 0x0b], [2, 0, 0x0b])),
  );
}

/** Makes a list of garbage-collected arrays of 800 KB that only ever grows. */
function heapEater(): Uint8Array<ArrayBuffer> {
  const array = [0x5e, 0x7e, 1];
  const node = [0x5f, 2, 0x63, 1, 0, 0x64, 0, 0];
  const newArray = [0x41, ...[0xa0, 0x8d, 0x06], 0xfb, 7, 0];
  const body = [1, 1, 0x63, 1, 0x03, 0x40, 0x20, 0, ...newArray, 0xfb, 0, 1, 0x21, 0, 0x0c, 0, 0x0b, 0x0b];
  return moduleOf(
    section(1, vec(array, node, func())),
    section(3, vec([2])),
    section(7, vec([...name("run"), 0, 0])),
    section(10, vec([body.length, ...body])),
  );
}

for (
  const [guest, exported, args, message] of [
    ["trap_unreachable", "run", [], "an unreachable instruction was executed"],
    ["trap_div0", "run", [], "an integer was divided by zero"],
    ["add", "divmod", [1, 0], "an integer was divided by zero"],
    ["trap_oob", "run", [], "a memory access was out of bounds"],
    ["stack_overflow", "run", [], "the call stack was exhausted"],
  ] as const
) {
  onEachPool(`${exported} of ${guest} is a trap with a fixed text`, async (gateway) => {
    const { message: got } = await assertProblem(
      await gateway.invoke(guest, { export: exported, args }),
      { status: 500, kind: "wasmtime" },
    );
    assert.equal(got, `Guest trapped: ${message}`);
  });
}

for (const [code, printed] of [["3", "3"], ["255", "255"], ["-1", "4294967295"]] as const) {
  onEachPool(`a guest that exits with ${code} failed`, async (gateway) => {
    const { message } = await assertProblem(
      await gateway.invoke("exit_code", { argv: [code] }),
      { status: 500, kind: "guest_exit" },
    );
    assert.equal(message, `Guest ended with exit code ${printed}`);
  });
}

onEachPool("a guest that exits with 0 succeeded", async (gateway) => {
  const response = await gateway.invoke("exit_code", { argv: ["0"] });
  const { result, output } = await response.json();
  assert.deepEqual([response.status, result, output], [200, "ok", "exiting with 0\n"]);
});

for (const guest of ["catch_all_exit", "catch_all_exit_legacy"]) {
  onEachPool(`${guest} cannot take its exit back`, async (gateway) => {
    await assertProblem(await gateway.invoke(guest), {
      status: 500,
      kind: "guest_exit",
      message: /exit code 7$/,
    });
  });

  onEachPool(`${guest} cannot live on after its exit`, async (gateway) => {
    await assertProblem(await gateway.invoke(guest, { export: "spin" }, SHORT), {
      status: 500,
      kind: "guest_exit",
      message: /exit code 7$/,
    });
    await assertServes(gateway);
  });
}

for (const guest of ["spin", "spin_start", "catch_all_spin"]) {
  onEachPool(`${guest} is stopped at its deadline, and its cell lives on`, async (gateway) => {
    const endedBefore = gateway.lines.filter((line) => line.message === "cell.ended").length;
    await assertProblem(await gateway.invoke(guest, { export: "run" }, SHORT), TIMEOUT);
    await assertServes(gateway);
    assert.equal(gateway.lines.filter((line) => line.message === "cell.ended").length, endedBefore);
  });
}

onEachPool("a guest that sleeps is stopped at its deadline", async (gateway) => {
  await assertProblem(await gateway.invoke("sleep", { argv: ["60000"] }, SHORT), TIMEOUT);
  await assertServes(gateway);
});

onEachPool("flood_output is stopped at the limit", async (gateway) => {
  const { message } = await assertProblem(await gateway.invoke("flood_output"), {
    status: 500,
    kind: "guest_limit_exceeded",
  });
  assert.match(
    message,
    new RegExp(`output_bytes is ${OUTPUT_BYTES_MAX}, got ${OUTPUT_BYTES_MAX + 1024 * 1024}$`),
  );
});

onEachPool("huge_files is told that there is no more room", async (gateway) => {
  const { output } = await (await gateway.invoke("huge_files")).json();
  assert.equal(output, `wrote ${FILE_BYTES_MAX} bytes, then errno 51 (No space left on device)\n`);
});

onEachPool("grow_memory grows to the limit and no further", async (gateway) => {
  const response = await gateway.invoke("grow_memory", { export: "run" });
  assert.deepEqual((await response.json()).result, [MEMORY_BYTES_MAX / 65_536]);
});

for (
  const [what, type, body] of [
    ["takes an argument", func([I64]), []],
    ["returns a number", func([], [I32]), [0x41, 0]],
    ["returns a vector", func([], [V128]), [0xfd, 12, ...new Array<number>(16).fill(0)]],
  ] as const
) {
  onEachPool(`an _initialize that ${what} is no reactor's and harms no cell`, async (gateway) => {
    const endedBefore = gateway.lines.filter((line) => line.message === "cell.ended").length;
    await gateway.deploy("initialize", withInitialize(type, body));
    const response = await gateway.invoke("initialize", { export: "run" });
    assert.deepEqual([response.status, (await response.json()).result], [200, "ok"]);
    await assertServes(gateway);
    assert.equal(gateway.lines.filter((line) => line.message === "cell.ended").length, endedBefore);
  });
}

onEachPool("a guest that eats the engine's heap is stopped, and its cell lives on", async (gateway) => {
  const endedBefore = gateway.lines.filter((line) => line.message === "cell.ended").length;
  await gateway.deploy("heap_eater", heapEater());
  await assertProblem(await gateway.invoke("heap_eater", { export: "run" }), {
    status: 500,
    kind: "guest_limit_exceeded",
    message: /: heap_bytes is \d+, got \d+$/,
  });
  await assertServes(gateway);
  assert.equal(gateway.lines.filter((line) => line.message === "cell.ended").length, endedBefore);
});

onEachPool("a call behind a spinner is answered", async (gateway) => {
  const [spinner, ...others] = await Promise.all([
    gateway.invoke("spin", { export: "run" }, SHORT),
    ...Array.from({ length: 4 }, () => gateway.invoke("noop", { export: "run" })),
  ]);
  await assertProblem(spinner, TIMEOUT);
  for (const response of others) assert.equal((await response.json()).result, "ok");
});

onEachPool("64 short calls beside 2 spinners are all served", async (gateway) => {
  const deadline = { "x-tensorwasm-deadline-ms": "600" };
  const spinners = [1, 2].map(() => gateway.invoke("spin", { export: "run" }, deadline));
  const calls = Array.from(
    { length: 64 },
    (_, index) => gateway.invoke("add", { export: "add", args: [index, index] }),
  );
  for (const [index, response] of (await Promise.all(calls)).entries()) {
    assert.deepEqual((await response.json()).result, [2 * index]);
  }
  for (const response of await Promise.all(spinners)) {
    await assertProblem(response, { status: 504, kind: "invoke_timeout" });
  }
});

Deno.test("a full line refuses at once and says when to come back", async () => {
  const settings = { "cells-min": 1, "cells-max": 1, "queue-depth-max": 0, "calls-per-cell-max": 1 };
  await using full = await TestGateway.start({
    flags: Object.entries(settings).flatMap(([flag, value]) => [`--${flag}`, String(value)]),
  });
  await full.deploy("spin");
  const client = new AbortController();
  const spinner = fetch(`${full.url}/functions/spin/invoke?export=run`, {
    method: "POST",
    signal: client.signal,
  });
  await awaitSlotUsed(full);
  const refused = await full.invoke("spin", { export: "run" });
  assert.equal(refused.headers.get("retry-after"), "1");
  await assertProblem(refused, {
    status: 503,
    kind: "capacity_exhausted",
    message: /queueDepthMax is 0, got 1$/,
  });
  client.abort();
  await assert.rejects(spinner);
});

onEachPool("no misbehaviour was a bug of ours", async (gateway) => {
  const bugs = gateway.lines.filter((line) =>
    line["kind"] === "internal" || line["reason"] === "quarantined"
  );
  assert.deepEqual(bugs, []);
  assert.deepEqual(gateway.strayLines, []);
  await gateway[Symbol.asyncDispose]();
  assert.deepEqual({ ...await gateway.status }, { success: true, code: 0, signal: null });
});
