import assert from "node:assert/strict";
import { ChunkSender, SOCKET_BACKLOG_BYTES_MAX } from "../../../runtime/cell/chunk_sender.ts";
import type { ChunkSocket } from "../../../runtime/cell/chunk_sender.ts";
import type { ChunkMeta } from "../../../runtime/wire/messages.ts";

/** A socket that takes what it is given when the test says so. */
class Socket implements ChunkSocket {
  backlogBytes = 0;
  readonly sent: { readonly meta: ChunkMeta | undefined; readonly bytes: Uint8Array }[] = [];
  #flushed = Promise.withResolvers<void>();

  flushed(): Promise<void> {
    return this.backlogBytes === 0 ? Promise.resolve() : this.#flushed.promise;
  }

  sendChunk(_call: number, meta: ChunkMeta | undefined, bytes: Uint8Array): void {
    this.sent.push({ meta, bytes });
    this.backlogBytes += bytes.length;
  }

  flush(): void {
    this.backlogBytes = 0;
    this.#flushed.resolve();
  }
}

const LIMITS = { windowBytes: 10_000_000, bytesMax: 10_000_000, chunksMax: 1000 };

Deno.test("ChunkSender puts nothing behind a socket that has too much to send, and goes on when it has sent it", async () => {
  const socket = new Socket();
  const [mine, other] = [
    new ChunkSender(1, LIMITS, 65_536, socket),
    new ChunkSender(2, LIMITS, 65_536, socket),
  ];
  const piece = new Uint8Array(65_536);
  while (other.trySend(piece, undefined));
  assert.ok(socket.backlogBytes <= SOCKET_BACKLOG_BYTES_MAX + piece.length);
  assert.equal(mine.trySend(piece, undefined), false);
  let hasRoom = false;
  const room = mine.room(piece.length).then(() => hasRoom = true);
  await Promise.resolve();
  assert.equal(hasRoom, false);
  socket.flush();
  await room;
  assert.equal(mine.trySend(piece, undefined), true);
});

Deno.test("ChunkSender hands a large chunk on as a copy: the guest may change its memory", () => {
  const socket = new Socket();
  const sender = new ChunkSender(1, LIMITS, 100_000, socket);
  const large = new Uint8Array(65_537).fill(1);
  assert.equal(sender.trySend(large, undefined), true);
  large.fill(2);
  assert.ok(socket.sent[0]?.bytes.every((byte) => byte === 1));
});

Deno.test("ChunkSender counts output without boundaries in the pieces that it will be sent in", () => {
  const sender = new ChunkSender(1, { ...LIMITS, chunksMax: 3 }, 100, new Socket());
  assert.equal(sender.exceeds(300), undefined);
  assert.deepEqual(sender.exceeds(301), { type: "exhausted", limit: "stream_chunks", max: 3, actual: 4 });
  assert.equal(sender.exceeds(0), undefined);
});

Deno.test("ChunkSender takes a content type along once, with the first chunk", () => {
  const socket = new Socket();
  const sender = new ChunkSender(1, LIMITS, 100, socket);
  assert.equal(sender.hasBegun, false);
  for (let index = 0; index < 2; index++) sender.trySend(new Uint8Array(1), "text/plain");
  assert.equal(sender.hasBegun, true);
  assert.deepEqual(socket.sent.map(({ meta }) => meta), [{ contentType: "text/plain" }, undefined]);
});
