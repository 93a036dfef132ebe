/**
 * The tick of an instrumented guest in a bench: a tiny module that exports a wasm function calling a JavaScript
 * one, because a typed funcref global takes no other, and a refill that comes about every 200 us.
 *
 * It stands for the cell's scheduler and decides nothing: it never stops a guest.
 */

// (module (import "host" "tick" (func (param i32) (result i32)))
//   (func (export "tick") (param i32) (result i32) (call 0 (local.get 0))))
const SHIM = new Uint8Array([
  ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
  ...[0x01, 0x06, 0x01, 0x60, 0x01, 0x7f, 0x01, 0x7f],
  ...[0x02, 0x0d, 0x01, 0x04, 0x68, 0x6f, 0x73, 0x74, 0x04, 0x74, 0x69, 0x63, 0x6b, 0x00, 0x00],
  ...[0x03, 0x02, 0x01, 0x00],
  ...[0x07, 0x08, 0x01, 0x04, 0x74, 0x69, 0x63, 0x6b, 0x00, 0x01],
  ...[0x0a, 0x08, 0x01, 0x06, 0x00, 0x20, 0x00, 0x10, 0x00, 0x0b],
]);
const TICK_MS = 0.2;
const REFILL_MIN = 1_000;
const REFILL_MAX = 1 << 30;

/** The refill of every tick, moved towards the wanted time between two; counts the ticks. */
export class Ticker {
  count = 0;
  #refill = 100_000;
  #lastMs = 0;

  /** What the guest gets as its next slice of fuel. */
  readonly tick = (_left: number): number => {
    const nowMs = performance.now();
    const elapsedMs = nowMs - this.#lastMs;
    this.#lastMs = nowMs;
    this.count++;
    const factor = Math.min(2, Math.max(0.5, TICK_MS / elapsedMs));
    this.#refill = Math.min(REFILL_MAX, Math.max(REFILL_MIN, Math.round(this.#refill * factor)));
    return this.#refill;
  };

  /** To be called before the guest runs: the time since the last tick was not the guest's. */
  resume(): void {
    this.#lastMs = performance.now() - TICK_MS;
  }
}

/** A wasm function calling `imported`, which is a function or a `WebAssembly.Suspending`. */
export function makeTickFunction(imported: WebAssembly.ImportValue): WebAssembly.ExportValue {
  const instance = new WebAssembly.Instance(new WebAssembly.Module(SHIM), { host: { tick: imported } });
  const tick = instance.exports["tick"];
  if (tick === undefined) throw new Error("The shim lacks its export");
  return tick;
}
