import assert from "node:assert/strict";
import { DEFAULT_LIMITS } from "../../../runtime/model/limits.ts";
import { FRAME } from "../../../runtime/wire/messages.ts";
import type { PongMeta, PreparedMeta } from "../../../runtime/wire/messages.ts";
import { ConnectedCell } from "../../support/connected_cell.ts";
import { readGuest } from "../../support/guests.ts";

const LARGE = 70_000;

Deno.test("Cell answers a call with its result, and a ping with its size", async () => {
  await using cell = new ConnectedCell();
  cell.module(1, "noop");
  cell.call(7, 1);
  cell.send(FRAME.ping, 9);
  const { outcome } = await cell.takeResult(7);
  assert.deepEqual(outcome, { type: "returned", values: [] });
  const pong = await cell.take(9);
  assert.equal(pong.type, FRAME.pong);
  const { nowMs, residentBytes } = pong.meta as PongMeta;
  assert.equal(residentBytes, 1234);
  assert.ok(nowMs > 0 && nowMs <= performance.now());
});

Deno.test("Cell answers pings and short calls while a guest spins", async () => {
  await using cell = new ConnectedCell();
  cell.module(1, "spin");
  cell.module(2, "noop");
  cell.call(1, 1, { deadlineMs: 200 });
  for (let turn = 0; turn < 20; turn++) await cell.host.turn();
  cell.call(2, 2);
  cell.send(FRAME.ping, 3);
  await cell.take(3);
  assert.equal((await cell.takeResult(2)).outcome.type, "returned");
  assert.ok(cell.host.timeMs < 100, `${cell.host.timeMs}`);
  assert.equal((await cell.takeResult(1)).outcome.type, "exhausted");
});

for (
  const [what, aheadMs, endsAfterMs] of [
    ["a little before what remained says, as its frame had waited", 93, 93],
    ["10 ms before that at most, however wrong the gateway is about its clock", 20, 90],
    ["not after that", 150, 100],
  ] as const
) {
  Deno.test(`Cell ends a call at the gateway's instant: ${what}`, async () => {
    await using cell = new ConnectedCell();
    cell.module(1, "spin");
    await cell.host.turn();
    const sentAtMs = cell.host.timeMs;
    cell.call(1, 1, { deadlineMs: 100, deadlineAtMs: sentAtMs + aheadMs });
    assert.equal((await cell.takeResult(1)).outcome.type, "exhausted");
    const endedAfterMs = cell.host.timeMs - sentAtMs;
    assert.ok(endedAfterMs >= endsAfterMs && endedAfterMs < endsAfterMs + 5, `${endedAfterMs}`);
  });
}

Deno.test("Cell ends a call that is cancelled, and none by a number that it does not know", async () => {
  await using cell = new ConnectedCell();
  cell.module(1, "spin");
  cell.call(1, 1, { deadlineMs: 10_000 });
  for (let turn = 0; turn < 5; turn++) await cell.host.turn();
  cell.send(FRAME.cancel, 99, { by: "client" });
  cell.send(FRAME.cancel, 1, { by: "drain" });
  assert.deepEqual((await cell.takeResult(1)).outcome, { type: "cancelled", by: "drain" });
  cell.send(FRAME.cancel, 1, { by: "client" });
});

Deno.test("Cell: a call and its cancel in one piece end without the guest", async () => {
  await using cell = new ConnectedCell();
  cell.module(1, "spin");
  cell.call(1, 1);
  cell.send(FRAME.cancel, 1, { by: "client" });
  const { outcome } = await cell.takeResult(1);
  assert.deepEqual(outcome, { type: "cancelled", by: "client" });
});

Deno.test("Cell: calls wait for a large module that is being compiled, each with one answer", async () => {
  await using cell = new ConnectedCell();
  cell.module(1, "noop", LARGE);
  for (let id = 1; id <= 5; id++) cell.call(id, 1);
  for (let id = 1; id <= 5; id++) assert.equal((await cell.takeResult(id)).outcome.type, "returned");
  cell.call(6, 1);
  assert.equal((await cell.takeResult(6)).outcome.type, "returned");
});

Deno.test("Cell: a module may be forgotten while calls wait for its compilation", async () => {
  await using cell = new ConnectedCell();
  cell.module(1, "noop", LARGE);
  cell.call(1, 1);
  cell.send(FRAME.forget, 1);
  assert.equal((await cell.takeResult(1)).outcome.type, "returned");
  cell.call(2, 1);
  const { fault } = await cell.takeResult(2);
  assert.equal(fault?.message, "InvariantError: A module is sent before it is called");
});

Deno.test("Cell: a call that is cancelled while its module is compiled never begins", async () => {
  await using cell = new ConnectedCell();
  cell.module(1, "spin", LARGE);
  cell.call(1, 1);
  cell.send(FRAME.cancel, 1, { by: "client" });
  const { outcome, spans } = await cell.takeResult(1);
  assert.deepEqual(outcome, { type: "cancelled", by: "client" });
  assert.deepEqual(spans.map((span) => span.hop), ["terminate", "spawn"]);
});

Deno.test("Cell: calls on a large module that does not compile are answered with a fault", async () => {
  await using cell = new ConnectedCell();
  cell.send(FRAME.module, 1, undefined, new Uint8Array(LARGE));
  cell.call(1, 1);
  cell.call(2, 1);
  for (const id of [1, 2]) {
    const { outcome, fault } = await cell.takeResult(id);
    assert.deepEqual(outcome, { type: "lost", reason: "cell_fault" });
    assert.equal(fault?.code, "internal");
    assert.match(fault?.message ?? "", /^CompileError: /);
  }
  cell.call(3, 1);
  assert.match((await cell.takeResult(3)).fault?.message ?? "", /^CompileError: /);
});

Deno.test("Cell has the limits that it was configured with", async () => {
  await using cell = new ConnectedCell({ cellMemoryBytesMax: 16 * 2 ** 20, timeSliceMs: 5 });
  cell.module(1, "hostile_memory_grow_bomb");
  cell.call(1, 1);
  const { outcome } = await cell.takeResult(1);
  assert.ok(outcome.type === "exhausted" && outcome.limit === "memory_bytes", JSON.stringify(outcome));
});

Deno.test("Cell examines and instruments a module", async () => {
  await using cell = new ConnectedCell();
  const bytes = readGuest("add");
  cell.send(FRAME.prepare, 1, { form: "wasm", limits: DEFAULT_LIMITS }, bytes);
  const json = JSON.stringify({ name: "a", wasm_b64: bytes.toBase64() });
  cell.send(FRAME.prepare, 2, { form: "json", limits: DEFAULT_LIMITS }, new TextEncoder().encode(json));
  cell.send(FRAME.prepare, 3, { form: "wasm", limits: DEFAULT_LIMITS }, new Uint8Array(10));
  const [plain, named, refused] = [await cell.take(1), await cell.take(2), await cell.take(3)];
  const metas = [plain, named, refused].map((frame) => frame.meta as PreparedMeta);
  assert.ok(metas[0] && "facts" in metas[0] && metas[0].originalBytes === 0 && metas[0].name === undefined);
  assert.ok(metas[1] && "facts" in metas[1] && metas[1].originalBytes === bytes.length);
  assert.equal(metas[1].name, "a");
  assert.deepEqual(named.blob.subarray(0, bytes.length), bytes);
  assert.deepEqual(named.blob.subarray(bytes.length), plain.blob);
  assert.ok(WebAssembly.validate(plain.blob));
  assert.ok(metas[2] && "fault" in metas[2] && metas[2].fault.code === "invalid_wasm");
});
