/**
 * InvokeBody: the JSON form of an invoke request, and the bounds on program arguments and environment.
 *
 * Owns the schema that the description shows, and the check by hand that does the same: a schema tells of every
 * element that is wrong, which of a hostile body are a million. Invariants: counts are looked at before elements, and
 * the first thing that is wrong is all that is told.
 */
import { z } from "@hono/zod-openapi";
import { fault } from "../model/fault.ts";
import type { FaultCode } from "../model/fault.ts";
import { limitMessage } from "../model/limits.ts";

/** Most bytes of argv and env together, and most entries of each: what a C program's start-up can bear. */
const ENVIRONMENT_BYTES_MAX = 65_536;
const ENVIRONMENT_COUNT_MAX = 256;
const SHOWN_PLACE_LENGTH_MAX = 64;

/** The JSON form; unknown members are tolerated, as clients of the reference rely on. */
export const InvokeBody = z.object({
  export: z.string().nullish().openapi({ description: "Export to call; default `_start`, then `main`" }),
  args: z.array(z.unknown()).nullish().openapi({
    description: "Arguments, typed by the export's signature",
    example: [2, 3],
  }),
  input: z.unknown().optional().openapi({
    description: "Guest input: a string as UTF-8, anything else as its JSON text",
  }),
  argv: z.array(z.string()).nullish().openapi({ description: "WASI arguments after the program's name" }),
  env: z.record(z.string(), z.string()).nullish().openapi({ description: "WASI environment" }),
}).openapi("InvokeBody");

/** What a body has, as it was parsed; what is null is absent. */
export interface InvokeMembers {
  readonly export: string | undefined;
  readonly args: readonly unknown[] | undefined;
  readonly input: unknown;
  readonly argv: readonly string[] | undefined;
  readonly env: readonly (readonly [name: string, value: string])[] | undefined;
}

/**
 * Checks a parsed body.
 *
 * @throws RuntimeFault `invalid_json` or `invalid_args` naming the place, `bad_request` when there are too many entries
 */
export function checkInvokeBody(body: unknown): InvokeMembers {
  if (!isRecord(body)) throw wrong("invalid_json", "Body", "an object", body);
  const { export: name = null, args = null, input, argv = null, env = null } = body;
  if (name !== null && typeof name !== "string") throw wrong("invalid_json", "export", "a string", name);
  if (args !== null && !Array.isArray(args)) throw wrong("invalid_args", "args", "an array", args);
  if (argv !== null && !Array.isArray(argv)) throw wrong("invalid_json", "argv", "an array", argv);
  if (env !== null && !isRecord(env)) throw wrong("invalid_json", "env", "an object", env);
  return {
    export: name ?? undefined,
    args: args ?? undefined,
    input,
    argv: argv === null ? undefined : argvOf(argv),
    env: env === null ? undefined : envOf(env),
  };
}

function argvOf(argv: readonly unknown[]): readonly string[] {
  checkCount("argv", argv.length);
  checkTexts("argv", [...argv.entries()]);
  return argv as readonly string[];
}

function envOf(env: Readonly<Record<string, unknown>>): InvokeMembers["env"] {
  const entries = Object.entries(env);
  checkCount("env", entries.length);
  checkTexts("env", entries);
  return entries as readonly (readonly [string, string])[];
}

/** Checks program arguments and environment. Throws RuntimeFault `bad_request`. */
export function checkEnvironment(programArgs: readonly string[], environment: readonly string[]): void {
  for (const [name, entries] of [["argv", programArgs], ["env", environment]] as const) {
    checkCount(name, entries.length);
    if (entries.some((entry) => entry.includes("\0"))) {
      throw fault("bad_request", `${name} has a NUL character`);
    }
  }
  if (environment.some((entry) => !/^[^=]+=/.test(entry))) {
    throw fault("bad_request", "env has an entry that is not NAME=value");
  }
  const bytes = [...programArgs, ...environment].reduce((sum, entry) => sum + entry.length * 3, 0);
  if (bytes > ENVIRONMENT_BYTES_MAX * 3) {
    throw fault("bad_request", `argv and env together exceed ${ENVIRONMENT_BYTES_MAX} characters`);
  }
}

function checkTexts(
  name: string,
  entries: readonly (readonly [key: string | number, value: unknown])[],
): void {
  for (const [key, value] of entries) {
    if (typeof value !== "string") throw wrong("invalid_json", `${name}.${key}`, "a string", value);
  }
}

function checkCount(name: string, count: number): void {
  if (count <= ENVIRONMENT_COUNT_MAX) return;
  throw fault("bad_request", limitMessage(`Too many ${name} entries`, "count", ENVIRONMENT_COUNT_MAX, count));
}

function wrong(code: FaultCode, place: string, expected: string, got: unknown): Error {
  return fault(code, `${place.slice(0, SHOWN_PLACE_LENGTH_MAX)}: expected ${expected}, got ${describe(got)}`);
}

function describe(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
