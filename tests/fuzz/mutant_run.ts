/**
 * Runs a mutant that the engine takes: instrumented first, which is sure to end, then the original.
 *
 * Owns the comparison of every export with simple parameters, on hosts that answer zero. What was stopped is not
 * compared, nor a module that imports anything but functions. Invariant: the original is only run when its
 * instrumented form ended by itself.
 */
import type { FunctionType } from "../../runtime/model/value_type.ts";
import { inspectModule } from "../../runtime/wasm/inspect.ts";
import { instantiateInstrumented } from "../support/instrumented.ts";

/** How the run ended, and what was different. */
export interface MutantRun {
  readonly end: "ranSame" | "ranStopped" | "notRun" | "ranDifferent";
  readonly finding?: string;
}

const STOP_AT_TICK = 100;
const REFILL = 2000;
const MEMORY_BYTES_COMPARED_MAX = 1 << 22;

interface Callable {
  readonly name: string;
  readonly type: FunctionType;
}

/** Runs both. */
export function runMutant(original: Uint8Array<ArrayBuffer>, output: Uint8Array<ArrayBuffer>): MutantRun {
  const facts = inspectModule(original);
  if (facts.imports.some((entry) => entry.type === undefined)) return { end: "notRun" };
  if (facts.memories.some((memory) => memory.pagesMin > 1000)) return { end: "notRun" };
  const callables = facts.exports.flatMap(({ name, type }) => type === undefined ? [] : [{ name, type }]);
  const lines: string[] = [];
  const imports = hostOf(facts.imports, lines);
  let stopped = false;
  let exports: WebAssembly.Exports;
  try {
    const instance = instantiateInstrumented(new WebAssembly.Module(output), imports, {
      refill: REFILL,
      stopAtTick: STOP_AT_TICK,
      onTick: (tick) => {
        stopped ||= tick >= STOP_AT_TICK;
      },
    });
    exports = instance.exports;
    instance.start();
  } catch (error) {
    // The original must fail alike, but its start function may have been endless.
    if (stopped) return { end: "ranStopped" };
    return sameFailure(original, hostOf(facts.imports, []), error);
  }
  if (stopped) return { end: "ranStopped" };
  const after = callAll(exports, callables, lines);
  if (stopped) return { end: "ranStopped" };

  const linesOriginal: string[] = [];
  try {
    const module = new WebAssembly.Module(original);
    const instance = new WebAssembly.Instance(module, hostOf(facts.imports, linesOriginal));
    const expected = callAll(instance.exports, callables, linesOriginal);
    const at = lines.findIndex((line, index) => line !== linesOriginal[index]);
    if (at >= 0 || lines.length !== linesOriginal.length) {
      // Deep recursion ends where the stack does, which is another place in another frame size.
      const isStack = linesOriginal[at]?.includes("RangeError") || lines[at]?.includes("RangeError");
      // Both trap at an array that is larger than the instrumenter allows, in other words.
      const isLargeArray = linesOriginal[at]?.includes("new array is too large");
      if (isStack || isLargeArray) return { end: "notRun" };
      return different(`it did ${lines[at]} instead of ${linesOriginal[at]}`);
    }
    const isSame = after.every((bytes, index) =>
      Buffer.compare(bytes, expected[index] ?? new Uint8Array()) === 0
    );
    return isSame ? { end: "ranSame" } : different("it left another memory");
  } catch (error) {
    return different(`the original failed to start: ${error}`);
  }
}

function different(finding: string): MutantRun {
  return { end: "ranDifferent", finding };
}

function sameFailure(
  original: Uint8Array<ArrayBuffer>,
  imports: WebAssembly.Imports,
  error: unknown,
): MutantRun {
  try {
    new WebAssembly.Instance(new WebAssembly.Module(original), imports);
  } catch (expected) {
    if (String(error) === String(expected)) return { end: "ranSame" };
    return different(`it failed to start with ${error} instead of ${expected}`);
  }
  return different(`only the instrumented one failed to start: ${error}`);
}

function hostOf(
  entries: readonly { readonly module: string; readonly name: string; readonly type?: FunctionType }[],
  lines: string[],
): WebAssembly.Imports {
  const imports: Record<string, Record<string, WebAssembly.ImportValue>> = {};
  for (const { module, name, type } of entries) {
    const results = (type?.results ?? []).map(zero);
    const group = imports[module] ??= {};
    group[name] = (...values: unknown[]) => {
      if (lines.length < 5000) lines.push(`${name}(${values.map(String)})`);
      return results.length > 1 ? results : results[0];
    };
  }
  return imports;
}

function zero(type: string): unknown {
  return type === "i64" ? 0n : type === "ref" || type === "v128" ? null : 0;
}

function callAll(
  exports: WebAssembly.Exports,
  callables: readonly Callable[],
  lines: string[],
): Uint8Array[] {
  for (const { name, type } of callables) {
    const run = exports[name];
    const values = type.params.map((param, index) => param === "i64" ? BigInt(index + 3) : index + 3);
    if (typeof run !== "function" || type.params.some((param) => param === "ref" || param === "v128")) {
      continue;
    }
    try {
      const result: unknown = run(...values);
      lines.push(`${name} = ${typeof result === "object" ? typeof result : String(result)}`);
    } catch (error) {
      lines.push(`${name} ! ${error instanceof Error ? `${error.name} ${error.message}` : "exception"}`);
    }
  }
  return Object.entries(exports).flatMap(([name, value]) =>
    value instanceof WebAssembly.Memory && !name.startsWith("tensor_wasm:") &&
      value.buffer.byteLength <= MEMORY_BYTES_COMPARED_MAX
      ? [new Uint8Array(value.buffer)]
      : []
  );
}
