/**
 * makeTick: the exported function that an instrumented module calls when its fuel is used up.
 *
 * Owns the shim module, since a typed function global takes only functions that a module exports, and the
 * refills. Invariant: the sequence of refills is the same in every run, and after a stop there are none.
 */

/** What ticks have been told so far; fuel counts finished slices. */
export interface Meter {
  tickCount: number;
  fuel: number;
  instanceCount: number;
  /** Ticks that were answered with a stop; every further entry into the guest asks again. */
  stopCount: number;
  /** Fuel that was used after the first stop: next to nothing, whatever the guest tries. */
  fuelAfterStop: number;
}

/** A meter before anything ran. */
export function makeMeter(): Meter {
  return { tickCount: 0, fuel: 0, instanceCount: 0, stopCount: 0, fuelAfterStop: 0 };
}

/** Large slices as a host gives them, and between them small ones, zero among them, to hit many checks. */
const REFILLS = [100_000, 0, 100_000, 1, 100_000, 7, 100_000, 100, 100_000, 10_000];

// (module (import "host" "tick" (func (param i32) (result i32)))
//   (func (export "tick") (param i32) (result i32) local.get 0 call 0))
// deno-fmt-ignore
const SHIM = new Uint8Array([
  0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
  1, 6, 1, 0x60, 1, 0x7f, 1, 0x7f,
  2, 13, 1, 4, 0x68, 0x6f, 0x73, 0x74, 4, 0x74, 0x69, 0x63, 0x6b, 0, 0,
  3, 2, 1, 0,
  7, 8, 1, 4, 0x74, 0x69, 0x63, 0x6b, 0, 1,
  10, 8, 1, 6, 0, 0x20, 0, 0x10, 0, 0x0b,
]);
const { Module, Instance } = WebAssembly;

/** A tick function for one instance that counts into `meter` and stops from tick number `tickCountMax` on. */
export function makeTick(meter: Meter, tickCountMax: number): WebAssembly.ExportValue {
  let granted = 0;
  const tick = (fuelLeft: number): number => {
    if (meter.stopCount > 0) meter.fuelAfterStop += granted - fuelLeft;
    meter.fuel += granted - fuelLeft;
    granted = REFILLS[meter.tickCount % REFILLS.length] ?? 0;
    if (meter.tickCount >= tickCountMax) {
      meter.stopCount++;
      granted = -1;
    }
    meter.tickCount++;
    return granted;
  };
  const { exports } = new Instance(new Module(SHIM), { host: { tick } });
  const shim = exports["tick"];
  if (shim === undefined) throw new Error("The shim exports no tick");
  return shim;
}
