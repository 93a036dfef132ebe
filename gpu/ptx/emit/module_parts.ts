/**
 * Module parts: imports, globals and helper functions that all functions of a compiled kernel share.
 *
 * Owns what is in every module whatever the kernel does: memory, the question whether to go on, the way to end
 * a kernel, and the globals of the running block. Helpers are written when first asked for. Invariant: a kernel
 * ends either by returning or through `fault`, which leaves the reason in the launch record.
 */
import { IMPORT } from "../kernel_interface.ts";
import { HELPERS } from "../helpers/mod.ts";
import type { Helper, HelperName } from "../helpers/mod.ts";
import { FAULT, RECORD } from "../launch_record.ts";
import { Code } from "../wasm/code.ts";
import type { ModuleWriter } from "../wasm/module_writer.ts";

/** Most pages of a context's memory: the engine's bound for 64-bit addresses, 16 GiB. */
export const PAGES_MAX = 262_144;

/** What a compiled module has besides the kernel's own functions. */
export class ModuleParts {
  readonly writer: ModuleWriter;
  /** Whether the processor adds to a product without rounding it first. */
  readonly isFused: boolean;
  readonly isShared: boolean;
  readonly functions: {
    readonly tick: number;
    readonly print: number;
    readonly clock: number;
    readonly fault: number;
    /** (left) -> fuel: asks for more. */
    readonly refuel: number;
  };
  readonly globals: Readonly<
    Record<
      | "imageBase"
      | "record"
      | "fuel"
      | "granted"
      | "arrived"
      | "ctaid.x"
      | "ctaid.y"
      | "ctaid.z"
      | "nctaid.x"
      | "nctaid.y"
      | "nctaid.z"
      | "sharedBase"
      | "sharedEnd"
      | "localBase"
      | "saveBase"
      | "paramBase",
      number
    >
  >;
  readonly #helpers = new Map<HelperName, number>();

  constructor(writer: ModuleWriter, options: { readonly isShared: boolean; readonly isFused: boolean }) {
    this.writer = writer;
    this.isFused = options.isFused;
    this.isShared = options.isShared;
    writer.importMemory(IMPORT.memory, { pagesMin: 1, pagesMax: PAGES_MAX, isShared: options.isShared });
    const tick = writer.importFunction(IMPORT.tick, ["i32"], ["i32"]);
    const print = writer.importFunction(IMPORT.print, ["i64", "i64"], []);
    const clock = writer.importFunction(IMPORT.clock, [], ["i64"]);
    const imageBase = writer.importGlobal(IMPORT.imageBase, { type: "i64", isMutable: false });
    const i32 = (): number => writer.global({ type: "i32", isMutable: true });
    const i64 = (): number => writer.global({ type: "i64", isMutable: true });
    this.globals = {
      imageBase,
      record: i64(),
      fuel: i32(),
      granted: i32(),
      arrived: i32(),
      "ctaid.x": i32(),
      "ctaid.y": i32(),
      "ctaid.z": i32(),
      "nctaid.x": i32(),
      "nctaid.y": i32(),
      "nctaid.z": i32(),
      sharedBase: i64(),
      sharedEnd: i32(),
      localBase: i64(),
      saveBase: i64(),
      paramBase: i64(),
    };
    const fault = this.#writeFault();
    const refuel = this.#writeRefuel(tick, fault);
    this.functions = { tick, print, clock, fault, refuel };
  }

  /** The parameters and results of a helper function. */
  signature(name: HelperName): Pick<Helper, "params" | "results"> {
    return HELPERS[name];
  }

  /** The index of a helper function. */
  helper(name: HelperName): number {
    const known = this.#helpers.get(name);
    if (known !== undefined) return known;
    const { params, results, write } = HELPERS[name];
    const index = this.writer.declare(params, results);
    this.#helpers.set(name, index);
    const code = new Code(params, results);
    write(code, this);
    this.writer.define(index, code);
    return index;
  }

  /** (code, line): leaves the reason in the record and traps. */
  #writeFault(): number {
    const { index, code } = this.writer.begin(["i32", "i32"], []);
    code.globalGet(this.globals.record);
    code.get(0);
    code.memory("i32Store", RECORD.fault);
    code.globalGet(this.globals.record);
    code.get(1);
    code.memory("i32Store", RECORD.faultLine);
    code.op("unreachable");
    return index;
  }

  /** (left, below zero) -> fuel. A negative answer ends the kernel. */
  #writeRefuel(tick: number, fault: number): number {
    const { index, code } = this.writer.begin(["i32"], ["i32"]);
    code.globalGet(this.globals.granted);
    code.get(0);
    code.op("i32Sub");
    code.call(tick);
    code.set(0);
    code.get(0);
    code.globalSet(this.globals.granted);
    code.get(0);
    code.i32(0);
    code.op("i32LtS");
    code.if();
    // What was used is booked: nothing is left over for the end.
    code.i32(0);
    code.globalSet(this.globals.granted);
    code.i32(0);
    code.globalSet(this.globals.fuel);
    code.i32(FAULT.timeout);
    code.i32(0);
    code.call(fault);
    code.end();
    code.get(0);
    return index;
  }
}
