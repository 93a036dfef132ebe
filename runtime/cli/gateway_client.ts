/**
 * GatewayClient: the HTTP API as commands use it.
 *
 * Owns addresses, the tenant header, the trace context that is sent along, and what a failure says. Invariant: a
 * failure is a CommandError whose message names what was asked, what came, and the trace that the gateway gave it.
 */
import type { SpanIds, Tracer } from "../../telemetry/mod.ts";

/** Where the gateway of `deno task serve` listens. */
export const DEFAULT_URL = "http://127.0.0.1:8080";

const TIMEOUT_MS = 30_000;
/** The gateway's word for what was asked wrongly. */
const BAD_REQUEST = 400;

/** A command that cannot do what it was asked. The message is for whoever typed it. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  /** HTTP status, where there was an answer. */
  readonly status: number | undefined;

  constructor(message: string, status?: number, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }
}

/** What was typed is wrong, whatever the gateway has. */
export class UsageError extends CommandError {}

/** What a client is told. */
export interface ClientOptions {
  readonly url: string;
  readonly tenant: string | undefined;
  readonly tracer: Tracer;
  /** The span of the command, whose context goes along. */
  readonly ids: SpanIds | undefined;
}

/** Asks a gateway. */
export class GatewayClient {
  readonly #options: ClientOptions;
  readonly #base: URL;

  /** @throws CommandError when the address is none */
  constructor(options: ClientOptions) {
    const base = URL.parse(options.url);
    if (base === null || !/^https?:$/.test(base.protocol)) {
      throw new UsageError(
        `${JSON.stringify(options.url)} is no address of a gateway: expected http://host:port`,
      );
    }
    this.#options = options;
    this.#base = base;
  }

  /** The JSON of a path. @throws CommandError */
  async get(path: string, query: Readonly<Record<string, string | undefined>> = {}): Promise<unknown> {
    const url = new URL(path, this.#base);
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(name, value);
    }
    const { tenant, tracer, ids } = this.#options;
    const headers = new Headers({ accept: "application/json" });
    if (tenant !== undefined) headers.set("x-tensorwasm-tenant", tenant);
    tracer.inject(headers, ids);
    let response: Response;
    let text: string;
    try {
      response = await fetch(url, { headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
      text = await response.text();
    } catch (cause) {
      const reason = cause instanceof DOMException && cause.name === "TimeoutError"
        ? `no answer within ${TIMEOUT_MS / 1000} s`
        : "no connection";
      throw new CommandError(
        `Cannot reach the gateway at ${this.#base.origin}: ${reason}; is it running, or is --url another?`,
        undefined,
        { cause },
      );
    }
    const body = parseJson(text);
    if (response.ok) {
      if (body === undefined) {
        throw new CommandError(`${url.pathname} at ${this.#base.origin} answered no JSON`);
      }
      return body;
    }
    throw failureOf(url, response, body);
  }
}

function failureOf(url: URL, response: Response, body: unknown): CommandError {
  const error = isRecord(body) && isRecord(body["error"]) ? body["error"] : {};
  const message = typeof error["message"] === "string" ? error["message"] : "no reason was given";
  const traceId = typeof error["trace_id"] === "string"
    ? error["trace_id"]
    : response.headers.get("x-trace-id");
  const trace = traceId === null ? "" : ` (trace ${traceId})`;
  const text = `${message}: ${url.pathname} answered ${response.status}${trace}`;
  return response.status === BAD_REQUEST
    ? new UsageError(text, response.status)
    : new CommandError(text, response.status);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Whether JSON is an object. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
