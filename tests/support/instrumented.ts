/**
 * Instrumented modules in tests: the tick of a cell, without a cell.
 *
 * Owns a tick that answers at once, and the record of what it was asked. It does not suspend: fibers do.
 * Invariant: `fuelUsed` counts every unit that the guest was charged, whatever the refills were.
 */
import { HOOKS } from "../../runtime/wasm/instrument.ts";

/** A module of one import and one export: typed globals take exported functions of modules only. */
const TICK_SHIM = new WebAssembly.Module(
  // deno-fmt-ignore
  Uint8Array.of(
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    1, 6, 1, 0x60, 1, 0x7f, 1, 0x7f,
    2, 7, 1, 1, 0x65, 1, 0x74, 0, 0,
    3, 2, 1, 0,
    7, 5, 1, 1, 0x74, 0, 1,
    10, 8, 1, 6, 0, 0x20, 0, 0x10, 0, 0x0b,
  ),
);

/** How the tick answers. */
export interface TickOptions {
  /** Fuel of each slice; default 1,000,000. */
  readonly refill?: number;
  /** The tick, counted from 1, that stops the guest and every one after it; default none. */
  readonly stopAtTick?: number;
  /** Called at each tick, with its number and the fuel used so far. */
  readonly onTick?: (tick: number, fuelUsed: number) => void;
}

/** An instance with its tick in place. */
export interface InstrumentedInstance {
  readonly exports: WebAssembly.Exports;
  /** Ticks so far. */
  readonly tickCount: () => number;
  /** Fuel that was charged so far. */
  readonly fuelUsed: () => number;
  /** Fuel that is left; negative once the guest was stopped. */
  readonly fuelLeft: () => number;
  /** Runs what was the start function, if there was one. */
  readonly start: () => void;
}

const REFILL = 1_000_000;

/** Instantiates an instrumented module. Does not run the start function. */
export function instantiateInstrumented(
  module: WebAssembly.Module,
  imports: WebAssembly.Imports,
  options: TickOptions = {},
): InstrumentedInstance {
  const { refill = REFILL, stopAtTick = Number.POSITIVE_INFINITY, onTick } = options;
  const { exports } = new WebAssembly.Instance(module, imports);
  const fuel = exports[HOOKS.fuel];
  const tick = exports[HOOKS.tick];
  if (!(fuel instanceof WebAssembly.Global) || !(tick instanceof WebAssembly.Global)) {
    throw new TypeError("The module is not instrumented");
  }
  let tickCount = 0;
  let sliceFuel = 0;
  let spentFuel = 0;
  const answer = (fuelNow: number): number => {
    tickCount++;
    spentFuel += sliceFuel - fuelNow;
    onTick?.(tickCount, spentFuel);
    sliceFuel = tickCount >= stopAtTick ? -1 : refill;
    return sliceFuel;
  };
  tick.value = new WebAssembly.Instance(TICK_SHIM, { e: { t: answer } }).exports["t"];
  return {
    exports,
    tickCount: () => tickCount,
    fuelUsed: () => spentFuel + sliceFuel - fuel.value,
    fuelLeft: () => fuel.value,
    start: () => {
      const start = exports[HOOKS.start];
      if (typeof start === "function") start();
    },
  };
}
