/**
 * What can be seen of a generated module from outside: results, traps, exceptions, calls of the host, memories
 * and globals.
 *
 * Owns the host functions and the arguments. It does not know whether a module is instrumented: the caller
 * instantiates. Invariant: an observation of the same module and arguments is the same text and bytes.
 */
import type { Signature } from "./plan.ts";
import type { GeneratedModule } from "./module.ts";
import type { Type } from "./value_type.ts";

/** Work of each call; the global that holds it is the first export of a global. */
const WORK = 700;

/** Exceptions in JavaScript, which the library of types does not have. */
interface ExceptionValue {
  is(tag: object): boolean;
  getArg(tag: object, index: number): unknown;
}
const { Exception, Tag } = WebAssembly as unknown as {
  readonly Exception: new () => ExceptionValue;
  readonly Tag: new () => object;
};

/** Everything seen, in order; `memories` are views of the instance. */
export interface Observation {
  readonly lines: string[];
  readonly memories: Uint8Array[];
}

/** The host of a generated module, with the calls that it took. */
export interface Host {
  readonly imports: WebAssembly.Imports;
  readonly lines: string[];
}

/** Makes a host. */
export function makeHost(): Host {
  const lines: string[] = [];
  return {
    lines,
    imports: {
      env: {
        note: (value: number) => {
          lines.push(`note ${value}`);
        },
        ask: (first: bigint, second: number) => {
          lines.push(`ask ${first} ${second}`);
          return Number(BigInt.asIntN(32, first)) ^ second;
        },
        fail: (value: number) => {
          lines.push(`fail ${value}`);
          if (value % 5 === 1) throw new Error(`host ${value}`);
          return value + 1;
        },
      },
    },
  };
}

/**
 * Calls every export twice with different arguments, and looks at what is left; `afterCall` hears after each
 * whether it trapped.
 */
export function observe(
  generated: GeneratedModule,
  host: Host,
  exports: WebAssembly.Exports,
  start: () => void,
  afterCall: (trapped: boolean) => void = () => {},
): Observation {
  const { lines } = host;
  const attempt = (what: string, call: () => unknown): void => {
    let trapped = false;
    try {
      lines.push(`${what} = ${describe(call())}`);
    } catch (error) {
      trapped = error instanceof WebAssembly.RuntimeError;
      lines.push(`${what} ! ${describeError(error, exports)}`);
    }
    afterCall(trapped);
  };
  attempt("start", start);
  for (let round = 0; round < 2; round++) {
    for (const [key, signature] of generated.functions) {
      const run = exports[key];
      if (typeof run !== "function") throw new TypeError(`There is no ${key}`);
      setWork(exports, WORK);
      attempt(key, () => run(...argumentsFor(signature, round)));
    }
  }
  const memories: Uint8Array[] = [];
  for (const [key, value] of Object.entries(exports)) {
    if (key.startsWith("tensor_wasm:")) continue;
    if (value instanceof WebAssembly.Memory) memories.push(new Uint8Array(value.buffer));
    if (value instanceof WebAssembly.Global) lines.push(`${key} = ${describe(value.value)}`);
  }
  return { lines, memories };
}

/** Sets the work left. */
export function setWork(exports: WebAssembly.Exports, work: number): void {
  const global = exports["global0"];
  if (global instanceof WebAssembly.Global) global.value = work;
}

const ARGUMENTS: Readonly<Record<string, readonly [number | bigint, number | bigint]>> = {
  i32: [3, -7],
  i64: [5n, -(2n ** 40n)],
  f32: [1.5, -0],
  f64: [2.25, 1e100],
};

/** The arguments of a round. */
export function argumentsFor(signature: Signature, round: number): (number | bigint)[] {
  return signature.params.map((type: Type) => ARGUMENTS[type]?.[round % 2] ?? 0);
}

function describe(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(describe).join()}]`;
  return Object.is(value, -0) ? "-0" : `${typeof value} ${String(value)}`;
}

/** What kind of error, with what it carries. */
export function describeError(error: unknown, exports: WebAssembly.Exports): string {
  if (error instanceof Exception) {
    const valueTag = exports["valueTag"];
    if (!(valueTag instanceof Tag) || !error.is(valueTag)) return "exception";
    return `exception ${error.getArg(valueTag, 0)} ${error.getArg(valueTag, 1)}`;
  }
  return error instanceof Error ? `${error.name} ${error.message}` : String(error);
}
