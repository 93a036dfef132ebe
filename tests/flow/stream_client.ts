/**
 * A client of streams for tests: the request, answers read whole, and one that reads no faster than it is told.
 *
 * Invariant: it knows the API alone, and nothing of how the gateway streams.
 */
import assert from "node:assert/strict";
import { parseEvents, type StreamEvent } from "../support/event_stream.ts";
import type { TestGateway } from "../support/gateway.ts";
import { parsePrometheusText, valueOf } from "./prometheus_text.ts";
import { RawConnection } from "./raw_http.ts";

/** What is asked for. */
export interface StreamRequest {
  readonly guest?: string;
  readonly export: string;
  readonly args?: readonly number[];
  readonly input?: Uint8Array<ArrayBuffer>;
  readonly headers?: Readonly<Record<string, string>>;
}

export const EVENTS = { accept: "text/event-stream" };
export const BASE64_EVENTS = { accept: "text/event-stream;data=base64" };

function pathOf({ guest = "stream", export: name, args = [] }: StreamRequest): string {
  return `/functions/${guest}/invoke-stream?export=${name}&args=${encodeURIComponent(JSON.stringify(args))}`;
}

/** Asks for a stream. */
export async function openStream(gateway: TestGateway, request: StreamRequest): Promise<Response> {
  return await fetch(`${gateway.url}${pathOf(request)}`, {
    method: "POST",
    headers: { "content-type": "application/octet-stream", ...request.headers },
    body: request.input ?? null,
  });
}

/** Reads a stream of events to its end. */
export async function eventsOf(response: Response): Promise<StreamEvent[]> {
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-type"), "text/event-stream");
  return parseEvents(await response.text());
}

/** A client that reads only when it is told to; its system takes a few MiB all the same. */
export async function openSlowly(gateway: TestGateway, request: StreamRequest): Promise<RawConnection> {
  const connection = await RawConnection.open(gateway.url);
  const headers = Object.entries(request.headers ?? {}).map(([name, value]) => `${name}: ${value}`);
  await connection.sendHead(`POST ${pathOf(request)}`, [...headers, "content-length: 0"]);
  return connection;
}

/** The values of metrics, each the sum over its series; those of which there are none are 0. */
export async function metricsOf(gateway: TestGateway, ...names: readonly string[]): Promise<number[]> {
  const families = parsePrometheusText(await (await fetch(`${gateway.url}/metrics`)).text());
  return names.map((name) => families.get(name)?.samples.reduce((sum, { value }) => sum + value, 0) ?? 0);
}

const POLL_MS = 10;
const WAIT_MS_MAX = 60_000;

/** Waits until a metric is as it should be. */
export async function awaitMetric(
  gateway: TestGateway,
  name: string,
  isAsExpected: (value: number) => boolean,
): Promise<number> {
  for (let waitedMs = 0; waitedMs < WAIT_MS_MAX; waitedMs += POLL_MS) {
    const [value = NaN] = await metricsOf(gateway, name);
    if (isAsExpected(value)) return value;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Error(`${name} did not become what was expected within ${WAIT_MS_MAX} ms`);
}

/** Waits until a cell has a call: one that still waits for a cell has no slot. */
export async function awaitSlotUsed(gateway: TestGateway): Promise<void> {
  for (let waitedMs = 0; waitedMs < WAIT_MS_MAX; waitedMs += POLL_MS) {
    const families = parsePrometheusText(await (await fetch(`${gateway.url}/metrics`)).text());
    if (valueOf(families, "tensor_wasm_cell_slots", { state: "used" }) > 0) return;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Error(`No cell had a call within ${WAIT_MS_MAX} ms`);
}

/** Waits until a stream is stuck: its guest has written what it may, and nothing came between two looks. */
export async function awaitStuck(gateway: TestGateway): Promise<void> {
  const names = ["tensor_wasm_streaming_bytes_total", "tensor_wasm_stream_held_bytes"];
  let before = NaN;
  for (let waitedMs = 0; waitedMs < WAIT_MS_MAX; waitedMs += 5 * POLL_MS) {
    const [written = NaN, held = 0] = await metricsOf(gateway, ...names);
    if (held > 0 && written === before) return;
    before = written;
    await new Promise((resolve) => setTimeout(resolve, 5 * POLL_MS));
  }
  throw new Error(`No stream was stuck within ${WAIT_MS_MAX} ms`);
}
