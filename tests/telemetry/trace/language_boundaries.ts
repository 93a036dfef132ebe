/**
 * Boundaries of the language: promises, generators, modules, and WebAssembly.
 *
 * Owns their rows. Invariant: each is as this Deno has it; a row that has become better or worse fails.
 */
import { bound, type Boundary, carried, sleep } from "./boundary.ts";

/** `(module (import "host" "call" (func)) (func (export "run") call 0))`. */
const CALLING_MODULE = new Uint8Array([
  ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
  ...[0x01, 0x04, 0x01, 0x60, 0x00, 0x00],
  ...[0x02, 0x0d, 0x01, 0x04, 0x68, 0x6f, 0x73, 0x74, 0x04, 0x63, 0x61, 0x6c, 0x6c, 0x00, 0x00],
  ...[0x03, 0x02, 0x01, 0x00],
  ...[0x07, 0x07, 0x01, 0x03, 0x72, 0x75, 0x6e, 0x00, 0x01],
  ...[0x0a, 0x06, 0x01, 0x04, 0x00, 0x10, 0x00, 0x0b],
]);

/** JavaScript Promise Integration, which the library of types does not know. */
interface SuspendingWebAssembly {
  readonly Suspending: new (call: () => Promise<void>) => WebAssembly.ImportValue;
  readonly promising: (run: WebAssembly.ExportValue | undefined) => () => Promise<void>;
}

function suspending(): SuspendingWebAssembly {
  return WebAssembly as unknown as SuspendingWebAssembly;
}

/** Rows. */
export const LANGUAGE_BOUNDARIES: readonly Boundary[] = [
  carried("a thenable of one's own", async (callback) => {
    await { then: (resolve: () => void): void => (callback(), resolve()) };
    callback();
  }),
  carried("Promise.all() and Promise.race()", async (callback) => {
    await Promise.all([sleep(1), Promise.race([sleep(1), sleep(2)])]);
    callback();
  }),
  carried("for await", async (callback) => {
    for await (const _ of [sleep(1), sleep(1)]) callback();
  }),
  bound("a generator that is made here and goes on elsewhere", async (callback, elsewhere) => {
    const generator = (async function* (): AsyncGenerator<void> {
      yield;
      callback();
    })();
    await generator.next();
    const going: Promise<unknown>[] = [];
    elsewhere(() => going.push(generator.next()));
    await Promise.all(going);
  }),
  carried("the loading of a module", async (callback) => {
    await import("data:text/javascript,export default 1");
    callback();
  }),
  carried("Atomics.waitAsync()", async (callback) => {
    const shared = new Int32Array(new SharedArrayBuffer(4));
    const waiting = Atomics.waitAsync(shared, 0, 0, 10_000);
    setTimeout(() => Atomics.notify(shared, 0), 1);
    // Waiting in this way does not keep the event loop alive.
    const alive = setInterval(() => {}, 10);
    await waiting.value;
    clearInterval(alive);
    callback();
  }),
  bound("a rejection that nobody handles, from elsewhere", async (callback, elsewhere) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const listener = (event: Event): void => {
      event.preventDefault();
      callback();
      resolve();
    };
    addEventListener("unhandledrejection", listener);
    elsewhere(() => void Promise.reject(new Error("of the test")));
    await promise;
    removeEventListener("unhandledrejection", listener);
  }),
  carried("the compilation of a module, and what it calls", async (callback) => {
    const module = await WebAssembly.compile(CALLING_MODULE);
    const { exports } = await WebAssembly.instantiate(module, { host: { call: callback } });
    (exports["run"] as () => void)();
    callback();
  }),
  carried("a guest that is suspended and goes on", async (callback) => {
    const { Suspending, promising } = suspending();
    const call = async (): Promise<void> => {
      callback();
      await sleep(1);
      callback();
    };
    const { instance } = await WebAssembly.instantiate(CALLING_MODULE, {
      host: { call: new Suspending(call) },
    });
    await promising(instance.exports["run"])();
    callback();
  }),
];
