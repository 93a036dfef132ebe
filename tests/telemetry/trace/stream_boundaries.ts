/**
 * Boundaries of streams and of the server: who calls back when bytes come and go.
 *
 * Owns their rows but for those that the gateway itself has to cross, which stand in the test. Invariant: each is as
 * this Deno has it; a row that has become better or worse fails.
 */
import { bound, type Boundary, carried, serveOnce, sleep } from "./boundary.ts";

/** Rows. */
export const STREAM_BOUNDARIES: readonly Boundary[] = [
  carried("a stream's start", (callback) => void new ReadableStream({ start: callback })),
  carried("a stream that is filled before anyone reads", async (callback, elsewhere) => {
    const stream = new ReadableStream({ pull: callback }, { highWaterMark: 1 });
    await sleep(0);
    elsewhere(() => void stream.cancel());
  }),
  bound("a transform that is piped elsewhere", async (callback, elsewhere) => {
    const transform = new TransformStream({ transform: callback });
    const piping: Promise<unknown>[] = [];
    elsewhere(() => piping.push(Array.fromAsync(ReadableStream.from(["one"]).pipeThrough(transform))));
    await Promise.all(piping);
  }),
  bound("the end of a transform that is piped elsewhere", async (callback, elsewhere) => {
    const transform = new TransformStream({ flush: callback });
    const piping: Promise<unknown>[] = [];
    elsewhere(() => piping.push(Array.fromAsync(ReadableStream.from(["one"]).pipeThrough(transform))));
    await Promise.all(piping);
  }),
  carried("a sink that is written elsewhere as soon as it is made", async (callback, elsewhere) => {
    const writer = new WritableStream({ write: callback }).getWriter();
    const writing: Promise<void>[] = [];
    elsewhere(() => writing.push(writer.write("one")));
    await Promise.all(writing);
  }),
  bound("a generator as a response's body", async (callback) => {
    const generate = async function* (): AsyncGenerator<Uint8Array<ArrayBuffer>> {
      for (let piece = 0; piece < 100; piece++) {
        await sleep(0);
        yield new Uint8Array(65_536);
      }
      callback();
    };
    await serveOnce(() => new Response(ReadableStream.from(generate())), async (url) => {
      for await (const _ of (await fetch(url)).body ?? []);
    });
  }),
];
