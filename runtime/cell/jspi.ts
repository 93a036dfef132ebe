/**
 * JavaScript Promise Integration, which TypeScript's library does not declare yet, and the tick function.
 *
 * Owns the two wrappers of the proposal (WebAssembly JSPI, phase 4) and the small module through which a
 * guest's check reaches JavaScript: a global of a function type takes exported WebAssembly functions only.
 * It decides nothing. Invariant: between a guest and the host's answer lie WebAssembly frames alone, so the
 * guest can be suspended.
 */
import { invariant } from "../model/invariant.ts";

interface Jspi {
  readonly promising: (exported: unknown) => (...args: unknown[]) => Promise<unknown>;
  readonly Suspending: new (imported: unknown) => WebAssembly.ImportValue;
}

const jspi = WebAssembly as unknown as Jspi;

/** An exported function as one that answers with a promise and may be suspended. */
export function promising(exported: unknown): (...args: unknown[]) => Promise<unknown> {
  return jspi.promising(exported);
}

/** A host function whose promises suspend the guest that called it. */
export function suspendable(imported: unknown): WebAssembly.ImportValue {
  return new jspi.Suspending(imported);
}

/**
 * (module
 *   (import "t" "t" (func (param i32) (result i32)))
 *   (func (export "t") (param i32) (result i32) (call 0 (local.get 0))))
 */
const TICK_MODULE = new Uint8Array([
  ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
  ...[0x01, 0x06, 0x01, 0x60, 0x01, 0x7f, 0x01, 0x7f],
  ...[0x02, 0x07, 0x01, 0x01, 0x74, 0x01, 0x74, 0x00, 0x00],
  ...[0x03, 0x02, 0x01, 0x00],
  ...[0x07, 0x05, 0x01, 0x01, 0x74, 0x00, 0x01],
  ...[0x0a, 0x08, 0x01, 0x06, 0x00, 0x20, 0x00, 0x10, 0x00, 0x0b],
]);

/** Makes the WebAssembly function that instances are given as HOOKS.tick. */
export function makeTick(tick: (left: number) => number | Promise<number>): WebAssembly.ExportValue {
  const module = new WebAssembly.Module(TICK_MODULE);
  const made = new WebAssembly.Instance(module, { t: { t: suspendable(tick) } }).exports["t"];
  invariant(made !== undefined, "The tick module exports its function");
  return made;
}
