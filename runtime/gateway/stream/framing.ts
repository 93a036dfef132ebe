/**
 * Framings: how a call's chunks and its end look in the body of a response.
 *
 * Owns the two framings and their negotiation: octets, which are the guest's bytes and nothing else, and server-sent
 * events (HTML Living Standard §9.2). Invariant: whichever is used, a client can get back every byte that the guest
 * wrote, and can tell a call that finished from one that failed.
 */
import type { Usage } from "../../model/usage.ts";
import { guestHeaders } from "../guest_output.ts";
import { findMediaRange } from "../media_ranges.ts";
import type { Problem } from "../problem.ts";

/** How a streamed call ended, for its client. */
export interface StreamEnd {
  /** Absent if it succeeded. */
  readonly problem?: Problem;
  /** What a call that succeeded returned, as in the answer of a synchronous call. */
  readonly result?: unknown;
  readonly usage: Usage;
  readonly chunks: number;
  readonly bytes: number;
  readonly traceId: string | undefined;
}

/** Makes the body of one response. */
export interface Framing {
  /**
   * What the head says of the body.
   *
   * @param guest the media type that the guest had set
   */
  headers(guest: string | undefined): Readonly<Record<string, string>>;
  /** The bytes for chunks, in order; may keep some back until more come. */
  chunks(chunks: readonly Uint8Array<ArrayBuffer>[]): Uint8Array<ArrayBuffer>;
  /** What follows the last chunk; undefined if a failure can only be shown by breaking the transfer off. */
  end(end: StreamEnd): Uint8Array<ArrayBuffer> | undefined;
  /** What keeps an idle connection alive; empty if nothing can be sent. */
  readonly keepAlive: Uint8Array<ArrayBuffer>;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const NOTHING: Uint8Array<ArrayBuffer> = new Uint8Array(0);
const CARRIAGE_RETURN = 13;

/**
 * The framing that a client asks for: events if any part of `Accept` is `text/event-stream` and is wanted, and then all of them in
 * base64 if that part has the parameter `data=base64`; else octets.
 */
export function negotiateFraming(accept: string | undefined): Framing {
  const range = findMediaRange(accept, "text/event-stream");
  return range === undefined
    ? new OctetFraming()
    : new EventFraming(range.parameters.includes("data=base64"));
}

/** The guest's bytes as they are. A failure breaks the transfer off: there is no place in it for anything else. */
export class OctetFraming implements Framing {
  readonly keepAlive = NOTHING;

  headers(guest: string | undefined): Readonly<Record<string, string>> {
    return guestHeaders(guest);
  }

  chunks(chunks: readonly Uint8Array<ArrayBuffer>[]): Uint8Array<ArrayBuffer> {
    const [first = NOTHING] = chunks;
    return chunks.length <= 1 ? first : join(chunks);
  }

  end({ problem }: StreamEnd): Uint8Array<ArrayBuffer> | undefined {
    return problem === undefined ? NOTHING : undefined;
  }
}

/**
 * Events: `chunk` with text, `chunk_b64` with base64, and at the end `done` or `error`. Text is used for what is valid
 * UTF-8 and has no carriage return, which an event cannot hold; a character that a chunk ends within waits for its rest.
 */
export class EventFraming implements Framing {
  readonly keepAlive = encoder.encode(":\n\n");
  readonly #isBase64: boolean;
  /** The beginning of a character whose rest has not come: at most three bytes. */
  #rest = NOTHING;

  constructor(isBase64: boolean) {
    this.#isBase64 = isBase64;
  }

  headers(): Readonly<Record<string, string>> {
    return { "content-type": "text/event-stream" };
  }

  chunks(chunks: readonly Uint8Array<ArrayBuffer>[]): Uint8Array<ArrayBuffer> {
    return encoder.encode(chunks.map((chunk) => this.#event(chunk)).join(""));
  }

  end(end: StreamEnd): Uint8Array<ArrayBuffer> {
    const rest = this.#rest.length === 0 ? "" : base64Event(this.#rest);
    const { problem, result, chunks, bytes, traceId } = end;
    const usage = usageMembers(end.usage);
    const trace = traceId === undefined ? {} : { trace_id: traceId };
    if (problem === undefined) {
      const done = {
        status: "ok",
        ...(result === undefined ? {} : { result }),
        chunks,
        bytes,
        usage,
        ...trace,
      };
      return encoder.encode(`${rest}event: done\ndata: ${JSON.stringify(done)}\n\n`);
    }
    const { kind, message, status } = problem;
    const failure = {
      status,
      reason: kind === "invoke_timeout" ? "deadline_elapsed" : "wasm_error",
      message,
      error: { kind, message, ...trace },
      ...{ chunks, bytes, usage },
    };
    return encoder.encode(`${rest}event: error\ndata: ${JSON.stringify(failure)}\n\n`);
  }

  #event(chunk: Uint8Array<ArrayBuffer>): string {
    if (this.#isBase64) return base64Event(chunk);
    const whole = this.#rest.length === 0 ? chunk : join([this.#rest, chunk]);
    const end = whole.length - cutOff(whole);
    const bytes = whole.subarray(0, end);
    const text = bytes.includes(CARRIAGE_RETURN) ? undefined : textOf(bytes);
    if (text === undefined) {
      this.#rest = NOTHING;
      return base64Event(whole);
    }
    this.#rest = whole.slice(end);
    return bytes.length === 0 && chunk.length > 0
      ? ""
      : `event: chunk\ndata: ${text.replaceAll("\n", "\ndata: ")}\n\n`;
  }
}

function base64Event(bytes: Uint8Array): string {
  return `event: chunk_b64\ndata: ${bytes.toBase64()}\n\n`;
}

function textOf(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

/** How many bytes at the end may be the beginning of a character that goes on: 0 to 3. */
function cutOff(bytes: Uint8Array): number {
  for (let count = 1; count <= Math.min(3, bytes.length); count++) {
    const byte = bytes[bytes.length - count] ?? 0;
    if (byte < 0x80) return 0;
    if (byte < 0xc0) continue;
    const needed = byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
    return needed > count ? count : 0;
  }
  return 0;
}

function usageMembers({ fuel, yields, cpuUs, memoryBytes }: Usage): Record<string, number> {
  return { fuel, yields, cpu_us: cpuUs, memory_bytes: memoryBytes };
}

function join(chunks: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let offset = 0;
  for (const chunk of chunks) {
    joined.set(chunk, offset);
    offset += chunk.length;
  }
  return joined;
}
