/**
 * Invoke requests: from content type, query and body bytes to what the caller asks for.
 *
 * Owns the two forms: JSON `{export?, args?, input?, argv?, env?}`, and raw bytes that become the guest's
 * input with everything else in the query. It does not type arguments (arguments.ts). Invariant: an empty
 * body is the defaults, whatever its content type.
 */
import { badJson } from "../model/bad_json.ts";
import { fault } from "../model/fault.ts";
import { limitMessage } from "../model/limits.ts";
import { isExact, parseArgumentList } from "./arguments.ts";
import { checkEnvironment, checkInvokeBody } from "./invoke_body.ts";
import { memberTexts } from "./json_members.ts";

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
  const { export: name, args, input, argv, env } = checkInvokeBody(value);
  const environment = env?.map(([key, text]) => `${key}=${text}`);
  checkEnvironment(argv ?? [], environment ?? []);
  return {
    ...(name === undefined ? {} : { export: name }),
    ...(args === undefined ? {} : { args: exactArguments(args, text) }),
    ...(argv === undefined ? {} : { programArgs: argv }),
    ...(environment === undefined || environment.length === 0 ? {} : { environment }),
    ...(input === undefined ? {} : { input: inputBytes(input, text), hasInput: true }),
  };
}

/** The arguments with numbers as they were written, where parsing may have changed one. */
function exactArguments(args: readonly unknown[], text: string): readonly unknown[] {
  if (args.every((value) => typeof value !== "number" || isExact(value))) return args;
  // Such a list is refused whatever else is in it, and may be nested deeper than it can be parsed with its sources.
  if (args.some((value) => typeof value === "object" && value !== null)) return args;
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
