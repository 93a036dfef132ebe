/**
 * OtlpSender: encoded batches over OTLP/HTTP with protobuf.
 *
 * Owns the request, its compression, and when to try again (OTLP specification, "OTLP/HTTP Response" and
 * "OTLP/HTTP Throttling"). It keeps no queue (pipeline.ts does) and knows no signal: the three responses have
 * one shape. Invariant: no address, header or body ever appears in a reason; a batch is given up once its
 * deadline cannot be met any more.
 */
import { gzipSync } from "node:zlib";
import { type ConnectionConfig, OtlpConnection } from "./otlp_connection.ts";
import { LENGTH_DELIMITED, VARINT } from "./proto_writer.ts";
import type { BatchSender, SendResult } from "./sender.ts";

/** Where and how to send. */
export interface OtlpConfig extends ConnectionConfig {
  /** The whole URL, path included. */
  readonly url: string;
  /** How long the export of one batch may take, retries included. */
  readonly timeoutMs: number;
  readonly compression: "gzip" | "none";
}

const RETRYABLE_STATUSES: ReadonlySet<number> = new Set([429, 502, 503, 504]);
/** What a collector says to credentials that it does not take; they may have been rotated. */
const CREDENTIAL_STATUSES: ReadonlySet<number> = new Set([401, 403]);
/** Of spans it takes about as much off as the default level does, in a third of the time. */
const GZIP_LEVEL = 1;
const ATTEMPTS_MAX = 6;
const BACKOFF_MS_MIN = 250;
const BACKOFF_MS_MAX = 5000;
/** Most bytes of a response that are read; a partial success takes a few hundred. */
const RESPONSE_BYTES_MAX = 64 * 1024;

type Answer =
  | { readonly type: "accepted"; readonly rejectedCount: number }
  | {
    /** Refused for good, or busy and worth another try. */
    readonly type: "refused" | "busy";
    readonly reason: string;
    readonly retryAfterMs?: number | undefined;
    /** Whether other credentials may change the answer. */
    readonly mayBeCredentials: boolean;
  };

function refused(reason: string, mayBeCredentials = false): Answer & { type: "refused" } {
  return { type: "refused", reason, mayBeCredentials };
}

function busy(reason: string, retryAfterMs?: number): Answer & { type: "busy" } {
  return { type: "busy", reason, retryAfterMs, mayBeCredentials: false };
}

/** Sends batches to one collector. */
export class OtlpSender implements BatchSender<Uint8Array<ArrayBuffer>> {
  readonly #config: OtlpConfig;
  readonly #connection: OtlpConnection;

  /** @throws TelemetryConfigError when a file that it is configured with cannot be used */
  constructor(config: OtlpConfig, userAgent: string) {
    this.#config = config;
    this.#connection = new OtlpConnection(config, {
      "content-type": "application/x-protobuf",
      "user-agent": userAgent,
      // A response is a few bytes; one that unpacks to many would only be read to the limit, but why ask.
      "accept-encoding": "identity",
      ...(config.compression === "gzip" ? { "content-encoding": "gzip" } : {}),
    });
  }

  async send(batch: Uint8Array<ArrayBuffer>, count: number, signal: AbortSignal): Promise<SendResult> {
    const deadlineAtMs = performance.now() + this.#config.timeoutMs;
    const body = this.#config.compression === "gzip" ? compress(batch) : batch;
    for (let attempt = 1;; attempt++) {
      const answer = await this.#post(body, deadlineAtMs - performance.now(), signal);
      if (answer.type === "accepted") return toResult(count, answer.rejectedCount);
      const { reason } = answer;
      const wasRotated = answer.mayBeCredentials && this.#connection.reload();
      if (answer.type === "refused" && !wasRotated) return { acceptedCount: 0, reason };
      const waitMs = wasRotated ? 0 : answer.retryAfterMs ?? backoffMs(attempt);
      const isLate = signal.aborted || performance.now() + waitMs >= deadlineAtMs;
      if (isLate || attempt >= ATTEMPTS_MAX) return { acceptedCount: 0, reason };
      await sleep(waitMs, signal);
    }
  }

  reload(): Promise<void> {
    this.#connection.reload();
    return Promise.resolve();
  }

  close(): void {
    this.#connection.close();
  }

  async #post(body: Uint8Array<ArrayBuffer>, timeoutMs: number, signal: AbortSignal): Promise<Answer> {
    const limit = new AbortController();
    const abort = (): void => limit.abort();
    const timer = setTimeout(abort, Math.max(0, timeoutMs));
    signal.addEventListener("abort", abort);
    try {
      if (signal.aborted) return refused("telemetry was closed first");
      const response = await fetch(this.#config.url, {
        method: "POST",
        headers: this.#connection.headers,
        body,
        signal: limit.signal,
        // Following one would hand the headers, keys among them, to somebody else.
        redirect: "manual",
        client: this.#connection.client,
      });
      return await readAnswer(response);
    } catch {
      if (limit.signal.aborted) return busy("the collector did not answer in time");
      // A certificate that is not taken looks like this as well.
      return { ...busy("the collector is not reachable"), mayBeCredentials: true };
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
  if (!RETRYABLE_STATUSES.has(status)) return refused(reason, CREDENTIAL_STATUSES.has(status));
  return busy(reason, parseRetryAfter(response.headers.get("retry-after")));
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

/** The items that a partial success names as rejected; a response that cannot be read rejects none. */
function readRejectedCount(body: Uint8Array): number {
  const partialSuccess = findField(body, 1);
  const rejected = partialSuccess instanceof Uint8Array ? findField(partialSuccess, 1) : undefined;
  return typeof rejected === "number" ? rejected : 0;
}

/**
 * The first field of a message that has the number and is a varint or has a length; undefined where there is none or
 * the message is malformed. A library's decoder would be most of what the export's thread has to load.
 */
function findField(message: Uint8Array, wanted: number): number | Uint8Array | undefined {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; at < message.length; scale *= 128) {
      const byte = message[at++] ?? 0;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
    return NaN;
  };
  while (at < message.length) {
    const tag = varint();
    const isLengthDelimited = tag % 8 === LENGTH_DELIMITED;
    if (!isLengthDelimited && tag % 8 !== VARINT) return undefined;
    const value = varint();
    if (Number.isNaN(value) || (isLengthDelimited && at + value > message.length)) return undefined;
    const content = isLengthDelimited ? message.subarray(at, at + value) : value;
    if (Math.floor(tag / 8) === wanted) return content;
    if (isLengthDelimited) at += value;
  }
  return undefined;
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

/** Synchronously: it runs on the export thread, and a stream takes three times as long. */
function compress(batch: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  return new Uint8Array(gzipSync(batch, { level: GZIP_LEVEL }));
}
