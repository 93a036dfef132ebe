import assert from "node:assert/strict";
import { RequestTable } from "../../../runtime/executor/request_table.ts";
import type { CellAnswer, RequestFacts } from "../../../runtime/executor/request_table.ts";
import type { Frame } from "../../../runtime/wire/frame.ts";
import { FRAME } from "../../../runtime/wire/messages.ts";
import type { CellLogLine } from "../../../runtime/wire/messages.ts";

function facts(changes: Partial<RequestFacts> = {}): RequestFacts {
  return { digest: "d", deadlineAtMs: 100, onLine: () => {}, ...changes };
}

function frame(id: number, meta: unknown = { id }): Frame {
  return { type: FRAME.result, id, meta, blob: new Uint8Array([id]) };
}

function line(call: number, text = ""): CellLogLine {
  return { call, source: "stdout", level: "info", text };
}

/** What a promise has led to by now. */
async function stateOf(answer: Promise<CellAnswer<unknown>>): Promise<CellAnswer<unknown> | "open"> {
  return await Promise.race([answer, Promise.resolve().then(() => "open" as const)]);
}

Deno.test("RequestTable.answer() settles the request with its frame", async () => {
  const table = new RequestTable();
  const answer = table.add(1, facts());
  assert.equal(await stateOf(answer), "open");
  assert.equal(table.answer(frame(1), 0), true);
  assert.deepEqual(await stateOf(answer), { type: "answered", meta: { id: 1 }, blob: new Uint8Array([1]) });
});

Deno.test("RequestTable.answer() is false for what nobody asked, or what was answered", () => {
  const table = new RequestTable();
  assert.equal(table.answer(frame(1), 0), false);
  void table.add(1, facts());
  assert.equal(table.answer(frame(2), 0), false);
  assert.equal(table.answer(frame(1), 0), true);
  assert.equal(table.answer(frame(1), 0), false);
});

Deno.test("RequestTable.answer() is false for a second answer while lines of the first are missing", async () => {
  const table = new RequestTable();
  const answer = table.add(1, facts());
  assert.equal(table.answer(frame(1, "first"), 1), true);
  assert.equal(table.answer(frame(1, "second"), 0), false);
  table.takeLogLine(line(1));
  const settled = await answer;
  assert.equal(settled.type === "answered" && settled.meta, "first");
});

Deno.test("RequestTable: an answer waits for the last of its log lines, and for no more", async () => {
  const table = new RequestTable();
  const seen: string[] = [];
  const answer = table.add(1, facts({ onLine: ({ text }) => seen.push(text) }));
  table.takeLogLine(line(1, "a"));
  table.answer(frame(1), 3);
  table.takeLogLine(line(1, "b"));
  assert.equal(await stateOf(answer), "open");
  table.takeLogLine(line(1, "c"));
  assert.notEqual(await stateOf(answer), "open");
  table.takeLogLine(line(1, "late"));
  assert.deepEqual(seen, ["a", "b", "c"]);
});

Deno.test("RequestTable: lines are of their own request", async () => {
  const table = new RequestTable();
  const answers = [1, 2].map((id) => table.add(id, facts()));
  table.answer(frame(1), 1);
  table.answer(frame(2), 1);
  table.takeLogLine(line(2));
  table.takeLogLine(line(9));
  assert.deepEqual(await Promise.all(answers.map(async (answer) => await stateOf(answer) === "open")), [
    true,
    false,
  ]);
});

Deno.test("RequestTable.close(): what was not answered has died, what was is answered, without its lines too", async () => {
  const table = new RequestTable();
  const open = table.add(1, facts());
  const waiting = table.add(2, facts());
  const settled = table.add(3, facts());
  table.answer(frame(2), 5);
  table.answer(frame(3), 0);
  table.close("cell_sigkill");
  assert.deepEqual(await open, { type: "died", reason: "cell_sigkill" });
  assert.equal((await waiting).type, "answered");
  assert.equal((await settled).type, "answered");
  assert.equal(table.answer(frame(1), 0), false);
  table.close("again");
});

Deno.test("RequestTable.digests() are of what is inside and unanswered, each once", () => {
  const table = new RequestTable();
  for (const [id, digest] of [[1, "a"], [2, "b"], [3, "a"], [4, "c"], [5, "d"]] as const) {
    void table.add(id, facts({ digest }));
  }
  table.answer(frame(4), 0);
  table.answer(frame(5), 1);
  assert.deepEqual([...table.digests()].sort(), ["a", "b"]);
  table.close("x");
  assert.deepEqual([...table.digests()], []);
});

Deno.test("RequestTable.isStuck() when one request was seen overdue three times", () => {
  const table = new RequestTable();
  assert.equal(table.isStuck(1000, 20), false);
  void table.add(1, facts({ deadlineAtMs: 100 }));
  for (let look = 0; look < 5; look++) assert.equal(table.isStuck(120, 20), false, `look ${look}`);
  assert.deepEqual([121, 121, 121].map((nowMs) => table.isStuck(nowMs, 20)), [false, false, true]);
});

Deno.test("RequestTable.isStuck() not while it is another request at each look", () => {
  const table = new RequestTable();
  for (let id = 1; id <= 10; id++) void table.add(id, facts({ deadlineAtMs: 100 }));
  assert.deepEqual([table.isStuck(200, 20), table.isStuck(200, 20)], [false, false]);
  for (let id = 1; id <= 9; id++) table.answer(frame(id), 0);
  // Answered, though a log line of it is still on its way.
  table.answer(frame(10), 1);
  for (let id = 11; id <= 20; id++) {
    void table.add(id, facts({ deadlineAtMs: 100 }));
    assert.equal(table.isStuck(200, 20), false, `request ${id}`);
    table.answer(frame(id), 0);
  }
});

Deno.test("RequestTable.takeChunk() hands chunks to their call, in order, and none after its answer", () => {
  const table = new RequestTable();
  const taken: unknown[] = [];
  void table.add(1, facts({ onChunk: (bytes, meta) => taken.push([...bytes, meta]) > 0 }));
  const chunk = (id: number, value: number, meta?: unknown): Frame => ({
    type: FRAME.chunk,
    id,
    meta,
    blob: new Uint8Array([value]),
  });
  assert.equal(table.takeChunk(chunk(1, 5, { contentType: "a/b" })), true);
  assert.equal(table.takeChunk(chunk(1, 6)), true);
  assert.deepEqual(taken, [[5, { contentType: "a/b" }], [6, undefined]]);
  // A line is still on its way: the call is answered all the same.
  assert.equal(table.answer(frame(1), 1), true);
  assert.equal(table.takeChunk(chunk(1, 7)), false);
});

Deno.test("RequestTable.takeChunk() is false for a call that is not streamed, unknown, or has no room", () => {
  const table = new RequestTable();
  void table.add(1, facts());
  void table.add(2, facts({ onChunk: () => false }));
  for (const id of [1, 2, 3]) {
    assert.equal(table.takeChunk({ type: FRAME.chunk, id, meta: undefined, blob: new Uint8Array(1) }), false);
  }
});
