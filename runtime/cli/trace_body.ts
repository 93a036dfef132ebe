/**
 * Trace bodies: the gateway's JSON about traces, as the commands read it.
 *
 * Owns the shapes and the check that an answer has them. Invariant: what passes the check can be printed: another
 * program, or another version, at the address is an error that says so and not a crash.
 */
import { CommandError, isRecord } from "./gateway_client.ts";

/** A trace as a list has it. */
export interface TraceRow {
  readonly trace_id: string;
  readonly root: string;
  readonly route?: string;
  readonly method?: string;
  readonly http_status?: number;
  readonly status: string;
  readonly error: boolean;
  readonly complete: boolean;
  readonly tenant?: string;
  readonly function_id?: string;
  readonly function?: string;
  readonly start_unix_ms: number;
  readonly duration_ms: number;
  readonly span_count: number;
  readonly log_count: number;
}

/** A span. */
export interface SpanRow {
  readonly span_id: string;
  readonly parent_span_id?: string;
  readonly name: string;
  readonly start_unix_ms: number;
  readonly duration_ms?: number;
  readonly error?: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly events?: readonly { readonly name: string; readonly unix_ms: number }[];
}

/** A log line. */
export interface LogRow {
  readonly unix_ms: number;
  readonly level: string;
  readonly target: string;
  readonly message: string;
  readonly span_id: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** A whole trace. */
export interface TraceDetail extends TraceRow {
  readonly truncated: boolean;
  readonly spans: readonly SpanRow[];
  readonly logs: readonly LogRow[];
}

/** A page of a list. */
export interface TraceListBody {
  readonly traces: readonly TraceRow[];
  readonly next_cursor?: string;
}

/** @throws CommandError when it is something else */
export function toTraceDetail(body: unknown): TraceDetail {
  const isTrace = isRecord(body) && isRow(body) && isListOf(body["spans"], isSpan) &&
    isListOf(body["logs"], isLog);
  if (!isTrace) throw foreign();
  return body as unknown as TraceDetail;
}

/** @throws CommandError when it is something else */
export function toTraceList(body: unknown): TraceListBody {
  if (!isRecord(body) || !isListOf(body["traces"], isRow)) throw foreign();
  return body as unknown as TraceListBody;
}

function foreign(): CommandError {
  return new CommandError("The answer is not what a gateway of this version gives; is --url right?");
}

function isListOf(value: unknown, isOne: (one: Readonly<Record<string, unknown>>) => boolean): boolean {
  return Array.isArray(value) && value.every((one) => isRecord(one) && isOne(one));
}

function isRow(row: Readonly<Record<string, unknown>>): boolean {
  return typeof row["trace_id"] === "string" && typeof row["start_unix_ms"] === "number" &&
    typeof row["duration_ms"] === "number" && typeof row["root"] === "string";
}

function isSpan(span: Readonly<Record<string, unknown>>): boolean {
  return typeof span["span_id"] === "string" && typeof span["name"] === "string" &&
    typeof span["start_unix_ms"] === "number" && isRecord(span["attributes"]);
}

function isLog(line: Readonly<Record<string, unknown>>): boolean {
  return typeof line["unix_ms"] === "number" && typeof line["message"] === "string" &&
    isRecord(line["fields"]);
}
