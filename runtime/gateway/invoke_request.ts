/**
 * Invoke requests: from content type, query and body bytes to what the caller asks for.
 *
 * Owns the two forms: JSON `{export?, args?, input?, argv?, env?}`, and raw bytes that become the guest's
 * input with everything else in the query. It does not type arguments (arguments.ts). Invariant: an empty
 * body is the defaults, whatever its content type.
 */
import { z } from "@hono/zod-openapi";
import { badJson } from "../model/bad_json.ts";
import { fault } from "../model/fault.ts";
import { limitMessage } from "../model/limits.ts";
import { isExact, parseArgumentList } from "./arguments.ts";
import { memberTexts } from "./json_members.ts";

/** Most bytes of argv and env together, and most entries of each: what a C program's start-up can bear. */
const ENVIRONMENT_BYTES_MAX = 65_536;
const ENVIRONMENT_COUNT_MAX = 256;

/** What a caller asks for. */
export interface InvokeRequest {
  readonly export: string | undefined;
  readonly args: readonly unknown[];
  readonly input: Uint8Array;
  /** Whether the caller gave the guest input: then the guest's raw output is the natural answer. */
  readonly hasInput: boolean;
  readonly programArgs: readonly string[];
  readonly environment: readonly string[];
}

/** Longest text of an argument list that needs its numbers exactly: the count is limited elsewhere. */
const ARGS_LENGTH_MAX = 65_536;

const decoder = new TextDecoder("utf-8", { fatal: true });
const encoder = new TextEncoder();
const NO_BYTES = new Uint8Array(0);
const NO_REQUEST: InvokeRequest = Object.freeze({
  export: undefined,
  args: [],
  input: NO_BYTES,
  hasInput: false,
  programArgs: [],
  environment: [],
});

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

/**
 * Reads an invoke request.
 *
 * @throws RuntimeFault `invalid_json`, `invalid_args`, `bad_request`, `body_too_large`
 */
export function parseInvokeRequest(
  contentType: string | undefined,
  query: URLSearchParams | undefined,
  body: Uint8Array,
  jsonBodyBytesMax: number,
): InvokeRequest {
  const fromQuery = query === undefined ? NO_REQUEST : parseQuery(query);
  if (body.length === 0) return fromQuery;
  if (!isJson(contentType)) return { ...fromQuery, input: body, hasInput: true };
  if (body.length > jsonBodyBytesMax) {
    throw fault(
      "body_too_large",
      limitMessage(
        "JSON body is too large, send input as raw bytes",
        "jsonBodyBytesMax",
        jsonBodyBytesMax,
        body.length,
      ),
    );
  }
  return { ...fromQuery, ...parseJsonBody(body) };
}

/** True for `application/json` and `…+json`, with or without parameters. */
export function isJson(contentType: string | undefined): boolean {
  if (contentType === undefined) return false;
  const type = contentType.split(";", 1)[0]?.trim().toLowerCase() ?? "";
  return type === "application/json" || type.endsWith("+json");
}

function parseQuery(query: URLSearchParams): InvokeRequest {
  const name = query.get("export");
  const args = query.get("args");
  const programArgs = query.getAll("argv");
  const environment = query.getAll("env");
  checkEnvironment(programArgs, environment);
  return {
    ...NO_REQUEST,
    export: name ?? undefined,
    args: args === null ? [] : parseArgsText(args),
    programArgs,
    environment,
  };
}

function parseArgsText(text: string): readonly unknown[] {
  let value: unknown;
  try {
    value = parseArgumentList(text);
  } catch (error) {
    throw fault("invalid_args", `${badJson("Query parameter args", error)}; expected an array, as in [2,3]`, {
      cause: error,
    });
  }
  if (!Array.isArray(value)) throw fault("invalid_args", "Query parameter args is not a JSON array");
  return value;
}

function parseJsonBody(body: Uint8Array): Partial<InvokeRequest> {
  let text: string;
  let value: unknown;
  try {
    text = decoder.decode(body);
    value = JSON.parse(text);
  } catch (error) {
    throw fault("invalid_json", badJson("Body", error), { cause: error });
  }
  const parsed = InvokeBody.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const place = issue === undefined || issue.path.length === 0 ? "Body" : issue.path.map(String).join(".");
    const kind = issue?.path[0] === "args" ? "invalid_args" : "invalid_json";
    throw fault(kind, `${place.slice(0, 64)}: ${issue?.message ?? "invalid"}`);
  }
  const { export: name, args, input, argv } = parsed.data;
  // Of what was parsed, not of what the schema made of it: that leaves out names like __proto__.
  const { env } = value as { readonly env?: Readonly<Record<string, string>> | null };
  const environment = Object.entries(env ?? {}).map(([key, text]) => `${key}=${text}`);
  checkEnvironment(argv ?? [], environment);
  return {
    ...(name === undefined || name === null ? {} : { export: name }),
    ...(args === undefined || args === null ? {} : { args: exactArguments(args, text) }),
    ...(argv === undefined || argv === null ? {} : { programArgs: argv }),
    ...(environment.length === 0 ? {} : { environment }),
    ...(input === undefined ? {} : { input: inputBytes(input, text), hasInput: true }),
  };
}

/** The arguments with numbers as they were written, where parsing may have changed one. */
function exactArguments(args: readonly unknown[], text: string): readonly unknown[] {
  if (args.every((value) => typeof value !== "number" || isExact(value))) return args;
  const source = memberTexts(text).get("args") ?? "";
  if (source.length > ARGS_LENGTH_MAX) {
    throw fault(
      "invalid_args",
      limitMessage("Arguments are too long", "length", ARGS_LENGTH_MAX, source.length),
    );
  }
  return parseArgumentList(source) as readonly unknown[];
}

/** A string is its UTF-8; anything else is the very text that the caller wrote. */
function inputBytes(input: unknown, text: string): Uint8Array {
  return encoder.encode(typeof input === "string" ? input : memberTexts(text).get("input") ?? "");
}

function checkEnvironment(programArgs: readonly string[], environment: readonly string[]): void {
  for (const [name, entries] of [["argv", programArgs], ["env", environment]] as const) {
    if (entries.length > ENVIRONMENT_COUNT_MAX) {
      throw fault(
        "bad_request",
        limitMessage(`Too many ${name} entries`, "count", ENVIRONMENT_COUNT_MAX, entries.length),
      );
    }
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
