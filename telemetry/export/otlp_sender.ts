/**
 * OtlpSender: batches of spans over OTLP/HTTP with protobuf.
 *
 * Owns the request, its compression, and when to try again (OTLP specification, "OTLP/HTTP Response" and
 * "OTLP/HTTP Throttling"). It keeps no queue (pipeline.ts does). Invariant: no address, header or body ever
 * appears in a reason; a batch is given up once its deadline cannot be met any more.
 */
import type { Resource } from "@opentelemetry/resources";
import { ProtobufTraceSerializer } from "@opentelemetry/otlp-transformer";
import type { SpanRecord } from "../span_record.ts";
import { SpanEncoder } from "./otlp_encode.ts";
import type { SendResult, SpanSender } from "./sender.ts";

/** Where and how to send. */
export interface OtlpConfig {
  /** The whole URL, path included. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** How long the export of one batch may take, retries included. */
  readonly timeoutMs: number;
  readonly compression: "gzip" | "none";
}

const RETRYABLE_STATUSES: ReadonlySet<number> = new Set([429, 502, 503, 504]);
const ATTEMPTS_MAX = 6;
const BACKOFF_MS_MIN = 250;
const BACKOFF_MS_MAX = 5000;
/** Most bytes of a response that are read; a partial success takes a few hundred. */
const RESPONSE_BYTES_MAX = 64 * 1024;

type Answer =
  | { readonly type: "accepted"; readonly rejectedCount: number }
  | { readonly type: "refused"; readonly reason: string }
  | { readonly type: "busy"; readonly reason: string; readonly retryAfterMs?: number | undefined };

/** Sends batches to one collector. */
export class OtlpSender implements SpanSender {
  readonly #config: OtlpConfig;
  readonly #encoder: SpanEncoder;
  readonly #headers: Headers;
  readonly #client = Deno.createHttpClient({});

  constructor(config: OtlpConfig, resource: Resource, userAgent: string) {
    this.#config = config;
    this.#encoder = new SpanEncoder(resource);
    this.#headers = new Headers({ ...config.headers });
    this.#headers.set("content-type", "application/x-protobuf");
    this.#headers.set("user-agent", userAgent);
    if (config.compression === "gzip") this.#headers.set("content-encoding", "gzip");
  }

  async send(spans: readonly SpanRecord[], signal: AbortSignal): Promise<SendResult> {
    const deadlineAtMs = performance.now() + this.#config.timeoutMs;
    const encoded = this.#encoder.encode(spans);
    const body = this.#config.compression === "gzip" ? await gzip(encoded) : encoded;
    for (let attempt = 1;; attempt++) {
      const answer = await this.#post(body, deadlineAtMs - performance.now(), signal);
      if (answer.type === "accepted") return toResult(spans.length, answer.rejectedCount);
      const { reason } = answer;
      if (answer.type === "refused" || attempt === ATTEMPTS_MAX) return { acceptedCount: 0, reason };
      const waitMs = answer.retryAfterMs ?? backoffMs(attempt);
      if (signal.aborted || performance.now() + waitMs >= deadlineAtMs) return { acceptedCount: 0, reason };
      await sleep(waitMs, signal);
    }
  }

  close(): void {
    this.#client.close();
  }

  async #post(body: Uint8Array<ArrayBuffer>, timeoutMs: number, signal: AbortSignal): Promise<Answer> {
    const limit = new AbortController();
    const abort = (): void => limit.abort();
    const timer = setTimeout(abort, Math.max(0, timeoutMs));
    signal.addEventListener("abort", abort);
    try {
      if (signal.aborted) return { type: "refused", reason: "telemetry was closed first" };
      const response = await fetch(this.#config.url, {
        method: "POST",
        headers: this.#headers,
        body,
        signal: limit.signal,
        // Following one would hand the headers, keys among them, to somebody else.
        redirect: "manual",
        client: this.#client,
      });
      return await readAnswer(response);
    } catch {
      const reason = limit.signal.aborted
        ? "the collector did not answer in time"
        : "the collector is not reachable";
      return { type: "busy", reason };
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
    }
  }
}

function toResult(sentCount: number, rejectedCount: number): SendResult {
  const acceptedCount = Math.max(0, sentCount - rejectedCount);
  return rejectedCount > 0
    ? { acceptedCount, reason: "the collector rejected a part of a batch" }
    : { acceptedCount };
}

async function readAnswer(response: Response): Promise<Answer> {
  const { status } = response;
  const body = await readAtMost(response, RESPONSE_BYTES_MAX);
  if (response.ok) return { type: "accepted", rejectedCount: readRejectedCount(body) };
  const reason = `the collector answered ${status}`;
  if (!RETRYABLE_STATUSES.has(status)) return { type: "refused", reason };
  return { type: "busy", reason, retryAfterMs: parseRetryAfter(response.headers.get("retry-after")) };
}

/** Reads a body to the end, or gives up at the limit; the connection stays usable only in the first case. */
async function readAtMost(response: Response, bytesMax: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > bytesMax) return new Uint8Array();
    chunks.push(chunk);
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

/** The spans that a partial success names as rejected; a response that cannot be read rejects none. */
function readRejectedCount(body: Uint8Array): number {
  if (body.length === 0) return 0;
  try {
    return Number(ProtobufTraceSerializer.deserializeResponse(body).partialSuccess?.rejectedSpans ?? 0);
  } catch {
    return 0;
  }
}

/** RFC 9110 §10.2.3: seconds or a date. */
function parseRetryAfter(value: string | null): number | undefined {
  if (value === null) return undefined;
  if (/^[0-9]{1,9}$/.test(value)) return Number(value) * 1000;
  const delayMs = Date.parse(value) - Date.now();
  return Number.isNaN(delayMs) ? undefined : Math.max(0, delayMs);
}

/** Doubles with each attempt; the random half keeps many processes from coming back together. */
function backoffMs(attempt: number): number {
  const ceiling = Math.min(BACKOFF_MS_MAX, BACKOFF_MS_MIN * 2 ** (attempt - 1));
  return ceiling / 2 + Math.random() * ceiling / 2;
}

function sleep(delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const wake = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", wake);
      resolve();
    };
    const timer = setTimeout(wake, delayMs);
    signal.addEventListener("abort", wake);
  });
}

async function gzip(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
