import assert from "node:assert/strict";
import { FrameReader } from "../../../runtime/wire/frame.ts";
import { FrameWriter } from "../../../runtime/wire/frame_writer.ts";

/** A sink that takes at most `step` bytes per write and remembers them. */
function sinkOf(
  step: number,
): { written: number[]; writes: number; write(bytes: Uint8Array): Promise<number> } {
  return {
    written: [],
    writes: 0,
    write(bytes: Uint8Array): Promise<number> {
      this.writes++;
      const piece = bytes.subarray(0, step);
      this.written.push(...piece);
      return Promise.resolve(piece.length);
    },
  };
}

function fail(error: unknown): void {
  assert.fail(String(error));
}

Deno.test("FrameWriter keeps frames whole and in order over a sink that writes partially", async () => {
  const sink = sinkOf(7);
  const writer = new FrameWriter(sink, fail);
  for (let id = 0; id < 20; id++) writer.send(1, id, { id }, new Uint8Array([id]));
  await writer.flushed();
  const bytes = new Uint8Array(sink.written);
  let offset = 0;
  const reader = new FrameReader({
    read(target): Promise<number | null> {
      const piece = bytes.subarray(offset, offset + target.length);
      if (piece.length === 0) return Promise.resolve(null);
      target.set(piece);
      offset += piece.length;
      return Promise.resolve(piece.length);
    },
  });
  for (let id = 0; id < 20; id++) assert.equal((await reader.next())?.id, id);
  assert.equal(await reader.next(), undefined);
});

Deno.test("FrameWriter issues the first write before send returns", () => {
  const sink = sinkOf(1000);
  new FrameWriter(sink, fail).send(1, 1, undefined);
  assert.equal(sink.writes, 1);
});

Deno.test("FrameWriter joins frames that gather while it writes", async () => {
  const sink = sinkOf(1_000_000);
  const writer = new FrameWriter(sink, fail);
  for (let id = 0; id < 50; id++) writer.send(1, id, undefined);
  await writer.flushed();
  assert.equal(sink.writes, 2);
});

Deno.test("FrameWriter reports a failing sink once and discards later frames", async () => {
  const errors: unknown[] = [];
  const writer = new FrameWriter(
    { write: () => Promise.reject(new Error("gone")) },
    (error) => errors.push(error),
  );
  writer.send(1, 1, undefined);
  await writer.flushed();
  writer.send(1, 2, undefined);
  await writer.flushed();
  assert.equal(errors.length, 1);
});

Deno.test("FrameWriter knows how many bytes the system has not taken yet", async () => {
  const taken = [1, 2, 3].map(() => Promise.withResolvers<number>());
  let writes = 0;
  const writer = new FrameWriter({ write: () => taken[writes++]?.promise ?? Promise.resolve(0) }, fail);
  const blob = new Uint8Array(100_000);
  writer.send(1, 1, undefined, blob);
  const head = writer.backlogBytes - blob.length;
  assert.ok(head > 0 && head < 20, `${head}`);
  taken[0]?.resolve(head);
  await taken[0]?.promise;
  await Promise.resolve();
  assert.deepEqual([writer.backlogBytes, writer.takenBytes], [blob.length, head]);
  taken[1]?.resolve(60_000);
  await taken[1]?.promise;
  await Promise.resolve();
  assert.deepEqual([writer.backlogBytes, writer.takenBytes], [40_000, head + 60_000]);
  taken[2]?.resolve(40_000);
  await writer.flushed();
  assert.deepEqual([writer.backlogBytes, writer.takenBytes], [0, head + blob.length]);
});
