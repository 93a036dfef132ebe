/**
 * Streamed calls in a cell, frame by frame: what leaves when, what waits for credit, and what ends a guest that waits.
 */
import assert from "node:assert/strict";
import { chargeOf } from "../../../runtime/model/stream_window.ts";
import { FRAME } from "../../../runtime/wire/messages.ts";
import type { CallMeta, ChunkMeta, ResultMeta, StreamLimits } from "../../../runtime/wire/messages.ts";
import { ConnectedCell } from "../../support/connected_cell.ts";

const PIECE = 1000;
/** Room for so many pieces. */
const windowFor = (pieces: number): number => pieces * chargeOf(PIECE);

function streamed(
  exported: string,
  args: readonly number[],
  limits: Partial<StreamLimits> = {},
): Partial<CallMeta> {
  return {
    export: exported,
    args: args.map((value) => ({ type: "i32", value })),
    resultTypes: ["i32"],
    stream: { windowBytes: windowFor(2), bytesMax: 1_000_000, chunksMax: 1_000, ...limits },
  };
}

/** Takes the chunks of a call that have come, once the cell has nothing more to do. */
async function takeChunks(cell: ConnectedCell, id: number): Promise<Uint8Array[]> {
  while (await cell.host.turn());
  const chunks = cell.answers.filter((frame) => frame.type === FRAME.chunk && frame.id === id);
  for (const chunk of chunks) cell.answers.splice(cell.answers.indexOf(chunk), 1);
  return chunks.map(({ blob }) => blob);
}

function sizes(chunks: readonly Uint8Array[]): number[] {
  return chunks.map(({ length }) => length);
}

async function started(): Promise<ConnectedCell> {
  const cell = new ConnectedCell();
  cell.module(1, "stream");
  await cell.host.turn();
  return cell;
}

Deno.test("a stream sends what its window has room for, waits, and goes on for what it is given", async () => {
  await using cell = await started();
  cell.call(1, 1, streamed("count", [5, PIECE]));
  assert.deepEqual(sizes(await takeChunks(cell, 1)), [PIECE, PIECE]);
  cell.send(FRAME.credit, 1, { bytes: windowFor(1) - 1 });
  assert.deepEqual(await takeChunks(cell, 1), [], "a chunk leaves whole or not at all");
  cell.send(FRAME.credit, 1, { bytes: 1 });
  assert.deepEqual(sizes(await takeChunks(cell, 1)), [PIECE]);
  cell.send(FRAME.credit, 1, { bytes: windowFor(2) });
  assert.deepEqual(sizes(await takeChunks(cell, 1)), [PIECE, PIECE]);
  const { outcome, stream } = await cell.takeResult(1);
  assert.deepEqual(outcome, { type: "returned", values: [{ type: "i32", value: 0 }] });
  assert.deepEqual(stream, { chunks: 5, bytes: 5 * PIECE, rejected: 0 });
});

Deno.test("the result of a streamed call has no output: all of it has left before", async () => {
  await using cell = await started();
  cell.call(1, 1, streamed("count", [2, PIECE]));
  assert.equal((await takeChunks(cell, 1)).length, 2);
  const frame = await cell.take(1);
  assert.equal(frame.blob.length, 0);
});

Deno.test("others run while a guest waits for its reader, and cost it nothing", async () => {
  await using cell = await started();
  cell.call(1, 1, streamed("count", [3, PIECE]));
  await takeChunks(cell, 1);
  cell.call(2, 1, { ...streamed("count", [1, 0]), tenant: "2" });
  assert.equal((await takeChunks(cell, 2)).length, 1);
  await cell.takeResult(2);
  cell.host.pass(100);
  cell.send(FRAME.credit, 1, { bytes: windowFor(1) });
  assert.equal((await takeChunks(cell, 1)).length, 1);
  const { usage } = await cell.takeResult(1);
  assert.ok(usage.cpuUs < 50_000, `${usage.cpuUs} µs`);
});

Deno.test("a guest that waits for its reader ends at its deadline", async () => {
  await using cell = await started();
  cell.call(1, 1, { ...streamed("count", [3, PIECE]), deadlineMs: 500 });
  await takeChunks(cell, 1);
  assert.equal(cell.host.timerCount, 1);
  cell.host.advance(500);
  const { outcome } = await cell.takeResult(1);
  assert.ok(outcome.type === "exhausted" && outcome.limit === "deadline_ms", JSON.stringify(outcome));
});

Deno.test("a guest that waits for its reader ends when that leaves, and takes no credit afterwards", async () => {
  await using cell = await started();
  cell.call(1, 1, streamed("forever", [PIECE]));
  await takeChunks(cell, 1);
  cell.send(FRAME.cancel, 1, { by: "client" });
  cell.send(FRAME.credit, 1, { bytes: windowFor(9) });
  const { outcome, stream } = await cell.takeResult(1);
  assert.deepEqual(outcome, { type: "cancelled", by: "client" });
  assert.equal(stream?.chunks, 2);
  cell.send(FRAME.credit, 1, { bytes: windowFor(9) });
  assert.deepEqual(await takeChunks(cell, 1), []);
});

Deno.test("a stream past its bytes or its chunks ends, with what it had sent", async () => {
  await using cell = await started();
  cell.call(1, 1, streamed("count", [3, PIECE], { bytesMax: 1_500 }));
  assert.deepEqual(sizes(await takeChunks(cell, 1)), [PIECE]);
  const bytes = (await cell.takeResult(1)).outcome;
  assert.deepEqual(bytes, { type: "exhausted", limit: "stream_bytes", max: 1_500, actual: 2_000 });
  cell.call(2, 1, streamed("count", [3, 0], { chunksMax: 2, windowBytes: 10_000 }));
  assert.deepEqual(sizes(await takeChunks(cell, 2)), [0, 0]);
  const chunks = (await cell.takeResult(2)).outcome;
  assert.deepEqual(chunks, { type: "exhausted", limit: "stream_chunks", max: 2, actual: 3 });
});

Deno.test("a chunk that is too large, or not in the memory, is refused and counted", async () => {
  await using cell = await started();
  cell.call(1, 1, streamed("count", [1, 65_537]));
  const { outcome, stream } = await cell.takeResult(1);
  assert.deepEqual(outcome, { type: "returned", values: [{ type: "i32", value: -2 }] });
  assert.deepEqual(stream, { chunks: 0, bytes: 0, rejected: 1 });
});

Deno.test("the first chunk has the content type that was set before, and no other has", async () => {
  await using cell = await started();
  cell.call(1, 1, { ...streamed("typed", []), args: [] });
  while (await cell.host.turn());
  const [first] = cell.answers.splice(0, 1);
  assert.equal(first?.type, FRAME.chunk);
  assert.deepEqual(first.meta as ChunkMeta, { contentType: "text/plain" });
  const { outcome } = await cell.takeResult(1);
  assert.deepEqual(outcome, { type: "returned", values: [{ type: "i32", value: -2 }] });
});

Deno.test("stdout of a WASI program is streamed in pieces no larger than a chunk, byte for byte", async () => {
  await using cell = new ConnectedCell({ chunkBytesMax: PIECE });
  cell.module(1, "echo");
  await cell.host.turn();
  const input = crypto.getRandomValues(new Uint8Array(4_321));
  const limits = { windowBytes: windowFor(2), bytesMax: 10_000, chunksMax: 1_000 };
  const meta: Partial<CallMeta> = { export: "_start", stream: limits };
  cell.call(1, 1, meta, input);
  const received: Uint8Array[] = [];
  for (let round = 0; round < 20; round++) {
    const chunks = await takeChunks(cell, 1);
    received.push(...chunks);
    const bytes = chunks.reduce((sum, { length }) => sum + chargeOf(length), 0);
    if (bytes > 0) cell.send(FRAME.credit, 1, { bytes });
  }
  assert.ok(received.every(({ length }) => length <= PIECE));
  assert.deepEqual(new Uint8Array(received.flatMap((chunk) => [...chunk])), input);
  const { stream } = await cell.takeResult(1) as ResultMeta;
  assert.equal(stream?.bytes, input.length);
});
