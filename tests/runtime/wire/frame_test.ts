import assert from "node:assert/strict";
import fc from "fast-check";
import { encodeFrame, FRAME_BYTES_MAX, FrameError, FrameReader } from "../../../runtime/wire/frame.ts";
import type { ByteSource, Frame } from "../../../runtime/wire/frame.ts";

const SEED = 20261121;

/** A source that hands out the given bytes in pieces of the given sizes, repeating the last size. */
function sourceOf(bytes: Uint8Array, sizes: readonly number[] = [bytes.length]): ByteSource {
  let offset = 0;
  let turn = 0;
  return {
    read(target: Uint8Array): Promise<number | null> {
      if (offset >= bytes.length) return Promise.resolve(null);
      const size = Math.max(1, sizes[Math.min(turn++, sizes.length - 1)] ?? 1);
      const piece = bytes.subarray(offset, offset + Math.min(size, target.length));
      target.set(piece);
      offset += piece.length;
      return Promise.resolve(piece.length);
    },
  };
}

function concat(chunks: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(chunks.flatMap((chunk) => [...chunk]));
}

async function readAll(source: ByteSource): Promise<Frame[]> {
  const reader = new FrameReader(source);
  const frames: Frame[] = [];
  for (let frame = await reader.next(); frame !== undefined; frame = await reader.next()) frames.push(frame);
  return frames;
}

Deno.test("FrameReader returns what encodeFrame wrote, however the bytes are cut", async () => {
  const anyFrame = fc.record({
    type: fc.integer({ min: 0, max: 255 }),
    id: fc.nat(0xffffffff),
    meta: fc.option(fc.jsonValue(), { nil: undefined }),
    blob: fc.uint8Array({ maxLength: 300 }),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyFrame, { maxLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 64 })),
      async (frames, sizes) => {
        const bytes = concat(
          frames.flatMap((frame) => encodeFrame(frame.type, frame.id, frame.meta, frame.blob)),
        );
        const read = await readAll(sourceOf(bytes, sizes.length === 0 ? [bytes.length] : sizes));
        assert.equal(read.length, frames.length);
        for (const [index, frame] of frames.entries()) {
          const got = read[index];
          assert.deepEqual([got?.type, got?.id], [frame.type, frame.id]);
          assert.equal(JSON.stringify(got?.meta), JSON.stringify(frame.meta));
          assert.deepEqual([...(got?.blob ?? [])], [...frame.blob]);
        }
      },
    ),
    { seed: SEED, numRuns: 200 },
  );
});

Deno.test("FrameReader reads a blob larger than its buffer", async () => {
  const blob = new Uint8Array(200_000).map((_, index) => index & 0xff);
  const chunks = encodeFrame(3, 9, { a: 1 }, blob);
  assert.equal(chunks.length, 2);
  const [frame] = await readAll(sourceOf(concat([...chunks]), [1000]));
  assert.deepEqual(frame?.blob, blob);
});

Deno.test("FrameReader keeps a frame's blob untouched by later reads", async () => {
  const bytes = concat([
    ...encodeFrame(1, 1, undefined, new Uint8Array([1, 2, 3])),
    ...encodeFrame(1, 2, undefined, new Uint8Array([9, 9, 9])),
  ]);
  const [first] = await readAll(sourceOf(bytes));
  assert.deepEqual([...(first?.blob ?? [])], [1, 2, 3]);
});

Deno.test("FrameReader refuses every truncation of a frame", async () => {
  const bytes = concat([...encodeFrame(7, 1, { x: "é" }, new Uint8Array([1, 2]))]);
  for (let length = 1; length < bytes.length; length++) {
    await assert.rejects(readAll(sourceOf(bytes.subarray(0, length))), FrameError, `length ${length}`);
  }
});

Deno.test("FrameReader refuses a body one byte over the limit and one under the head", async () => {
  const head = new Uint8Array(13);
  for (const length of [FRAME_BYTES_MAX + 1, 8, 0]) {
    new DataView(head.buffer).setUint32(0, length, true);
    await assert.rejects(new FrameReader(sourceOf(head)).next(), FrameError, `length ${length}`);
  }
});

Deno.test("FrameReader refuses a meta that is longer than its body, and one that is not JSON", async () => {
  const bytes = concat([...encodeFrame(7, 1, { x: 1 }, new Uint8Array(2))]);
  const longMeta = bytes.slice();
  new DataView(longMeta.buffer).setUint32(9, 1000, true);
  await assert.rejects(readAll(sourceOf(longMeta)), FrameError);
  const notJson = bytes.slice();
  notJson[13] = 0xff;
  await assert.rejects(readAll(sourceOf(notJson)), FrameError);
});
