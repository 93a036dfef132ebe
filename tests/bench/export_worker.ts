/**
 * export_worker: the thread that sends batches in export_thread.ts, and what it shares with it.
 *
 * As a worker it is told by its name where to send and how to compress; it answers each batch with an empty message.
 */
import { gzip, gzipSync } from "node:zlib";

const FAST = { level: 1 };

/** An encoded batch. */
export type Bytes = Uint8Array<ArrayBuffer>;
/** A way to compress it. */
export type Compress = (bytes: Bytes) => Bytes | Promise<Bytes>;

/** Sends it. */
export async function post(url: string, body: Bytes): Promise<void> {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/x-protobuf" },
    body,
  });
  await response.arrayBuffer();
}

/** The ways that are compared. */
export const COMPRESSIONS: Readonly<Record<string, Compress>> = {
  none: (bytes) => bytes,
  stream: async (bytes) => {
    const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  },
  zlib: (bytes) =>
    new Promise((resolve, reject) =>
      gzip(bytes, (error, result) => error === null ? resolve(new Uint8Array(result)) : reject(error))
    ),
  "zlib, level 1": (bytes) =>
    new Promise((resolve, reject) =>
      gzip(bytes, FAST, (error, result) => error === null ? resolve(new Uint8Array(result)) : reject(error))
    ),
  "zlib, level 1, synchronous": (bytes) => new Uint8Array(gzipSync(bytes, FAST)),
};

/** The scope of a worker, as far as it is used here. */
interface WorkerScope {
  readonly name: string;
  postMessage(message: unknown): void;
}

function serve(scope: WorkerScope): void {
  const { url, compression } = JSON.parse(scope.name) as { url: string; compression: string };
  const compress = COMPRESSIONS[compression];
  addEventListener("message", async (event) => {
    const batch = (event as MessageEvent<Bytes>).data;
    if (compress !== undefined) await post(url, await compress(batch));
    scope.postMessage(null);
  });
}

const scope = globalThis as unknown as WorkerScope;
// Imported by the bench it only lends; a worker's scope has a name.
if (typeof scope.name === "string" && scope.name !== "") serve(scope);
