/**
 * Guests that attack the host through its functions: floods, waits, hostile pointers, and stops that they catch.
 */
import assert from "node:assert/strict";
import { Arena } from "./arena.ts";
import { type Attack, endless, exhausted, type Expected, testAttacks } from "./attack.ts";
import { makeModule as makeHostCalls } from "../guests/src/hostile/made/host_calls.ts";

const OUTPUT_BYTES_MAX = 4 * 1024 * 1024;
const LOG_LINES_MAX = 100;

let arena: Arena;
Deno.test.beforeAll(async () => {
  arena = await Arena.start([
    ...["--output-bytes-max", String(OUTPUT_BYTES_MAX)],
    ...["--file-bytes-max", String(8 * 1024 * 1024)],
    ...["--guest-log-lines-max", String(LOG_LINES_MAX)],
  ]);
});
Deno.test.afterAll(async () => await arena[Symbol.asyncDispose]());

const OUTPUT = exhausted("output_bytes");
const EXIT: Expected = {
  type: "failed",
  status: 500,
  kind: "guest_exit",
  message: /^Guest ended with exit code 7$/,
  outcome: "exited",
  reason: /^exit_code_7$/,
};
const INVAL = 28;

// Floods.
testAttacks(() => arena, [
  { guest: "output_flood", expected: OUTPUT },
  { guest: "output_iovecs", expected: OUTPUT },
  { guest: "output_chunks", export: "run", expected: OUTPUT },
  { guest: "log_flood", export: "log", expected: { type: "returned", result: [1] } },
  { guest: "log_flood", export: "stderr", expected: { type: "returned", result: [1] } },
  endless("log_flood", "endless"),
  { guest: "span_event_flood", export: "run", expected: { type: "returned", result: [1] } },
  endless("file_bomb", "files"),
  endless("file_bomb", "folders"),
  endless("file_bomb", "descriptors"),
  endless("file_bomb", "sparse"),
  endless("random_huge"),
]);

// No media type with a line's end, nor any other that is malformed, becomes a header.
testAttacks(() => arena, [
  { guest: "content_type_odd", export: "run", expected: { type: "returned", result: [0] } },
]);

// Calls of the host without end.
testAttacks(() => arena, [
  ...[
    ...["sched_yield", "clock_time_get", "random_get", "fd_read", "fd_prestat_get", "proc_raise", "yield"],
    ...["deadline-remaining-ms", "read-input", "flush", "set-content-type", "cuda_sync"],
  ].map((exported) => endless("host_call_loops", exported)),
  endless("host_call_recursion"),
  endless("table_of_hosts"),
  endless("poll_hostile", "many_loop"),
]);

// Stops that the guest catches: the first one stands, and what comes after it does not go on for ever.
testAttacks(() => arena, [
  ...["spin", "return", "write", "exit_again", "trap"].map((exported): Attack => ({
    guest: "exit_stop_caught",
    export: exported,
    deadlineMs: 10_000,
    expected: EXIT,
  })),
  ...["spin", "again", "return"].map((exported): Attack => ({
    guest: "output_stop_caught",
    export: exported,
    deadlineMs: 10_000,
    expected: OUTPUT,
  })),
  ...["spin", "again", "return"].map((exported) => endless("deadline_stop_caught", exported)),
]);

Deno.test("attack: exit_stop_caught sleep: who has exited does not sleep on until its deadline", async () => {
  const ended: string[] = [];
  const sleeper = { guest: "exit_stop_caught", export: "sleep", deadlineMs: 20_000, expected: EXIT };
  await Promise.all([
    arena.attack(sleeper).then(() => ended.push("sleeper")),
    arena.attack({ ...endless("input_never_read", "spin"), deadlineMs: 1000 }).then(() =>
      ended.push("spinner")
    ),
  ]);
  assert.equal(ended[0], "sleeper");
});

// Waiting.
const FOREVER_NANOS = String(2n ** 63n - 1n);
const poll = (exported: string, args: readonly unknown[], result: number): Attack => ({
  guest: "poll_hostile",
  export: exported,
  args,
  expected: { type: "returned", result: [result] },
});
testAttacks(() => arena, [
  poll("count", [0], INVAL),
  poll("count", [4097], INVAL),
  poll("count", [-1], INVAL),
  poll("count", [0x7fff_ffff], INVAL),
  poll("count", [4096], 0),
  poll("overlap", [], 0),
  poll("timeout", ["0", 1, 0], 0),
  poll("timeout", ["0", 0, 1], 0),
  poll("timeout", [FOREVER_NANOS, 99, 0], 0),
  poll("timeout", [FOREVER_NANOS, 1, 2], INVAL),
  ...[FOREVER_NANOS, "-1", "-9223372036854775808"].map((nanos): Attack => ({
    ...endless("poll_hostile", "timeout"),
    args: [nanos, 1, 0],
  })),
  { ...endless("poll_hostile", "timeout"), args: ["-1", 1, 1] },
  { ...endless("poll_hostile", "timeout"), args: ["-1", 0, 1] },
  endless("poll_hostile", "many_forever"),
]);

// Input.
Deno.test("attack: input_never_read: 32 MiB that nobody reads", async () => {
  const input = new Uint8Array(32 * 1024 * 1024);
  const guest = "input_never_read";
  await arena.attack({
    guest,
    input,
    deadlineMs: 30_000,
    expected: { type: "returned", result: "ok" },
  });
  await arena.attack({ ...endless(guest, "spin"), input, deadlineMs: 1000 });
});

Deno.test("a flood of lines is cut at its limit, is nobody else's line, and has no control characters", () => {
  const lines = arena.gateway.lines.filter((line) => line["target"] === "guest");
  const perTrace = Map.groupBy(lines, (line) => line.trace_id);
  assert.ok(perTrace.size > 0);
  for (const [traceId, ofCall] of perTrace) {
    assert.ok(traceId !== undefined);
    assert.ok(ofCall.length <= LOG_LINES_MAX + 1, `${ofCall.length} lines`);
  }
  assert.deepEqual(arena.gateway.strayLines, []);
});

Deno.test("every host function takes every hostile pointer and length", async (t) => {
  const { bytes, calls } = makeHostCalls();
  const { id } = await arena.deploy("host_calls", bytes);
  assert.ok(calls.length > 50);
  for (const call of calls) {
    await t.step(`${call.host}, ${call.combinations} times`, async () => {
      const response = await arena.gateway.invoke(id, { export: call.export }, {
        "x-tensorwasm-tenant": "666",
        "x-tensorwasm-deadline-ms": "10000",
      });
      const body = await response.json();
      // What ends the guest ends it at its first call.
      if (/proc_exit|proc_raise/.test(call.host)) {
        assert.ok(response.status === 200 || body.error.kind === "guest_exit", JSON.stringify(body));
        return;
      }
      assert.deepEqual([response.status, body.result], [200, [call.combinations]], JSON.stringify(body));
    });
  }
  await arena.assertHonest();
});

Deno.test("no attack was a bug of ours, and none ended the cell", () => arena.assertUnharmed());
