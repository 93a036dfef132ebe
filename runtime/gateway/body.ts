/**
 * Bodies: reads a request's body whole, within its byte limit and its deadline.
 *
 * Invariants: no more than `bodyBytesMax` and one chunk is ever held, nor more than twice what came, whatever
 * Content-Length says or omits and however small the chunks are; of a body that was refused or came too late, nothing
 * more is read.
 */
import type { Clock } from "../model/clock.ts";
import { fault } from "../model/fault.ts";
import { limitMessage } from "../model/limits.ts";
import type { BodyHold } from "./body_budget.ts";

const EMPTY = new Uint8Array(0);
/** Room for the beginning of a body whose length is not declared. */
const FIRST_BYTES = 16 * 1024;

/**
 * Reads the body.
 *
 * @throws RuntimeFault `body_too_large`, `request_timeout`, `capacity_exhausted`, `bad_request` when the client broke off
 */
export async function readBody(
  request: Request,
  bodyBytesMax: number,
  deadlineAtMs: number,
  clock: Clock,
  hold: BodyHold,
): Promise<Uint8Array<ArrayBuffer>> {
  const declared = request.headers.get("content-length");
  if (declared === "0") return EMPTY;
  if (declared !== null && Number(declared) > bodyBytesMax) throw tooLarge(bodyBytesMax, Number(declared));
  // Asking for `request.body` makes a stream, which costs more than all else here: only where it is needed.
  const reader = declared === null ? request.body?.getReader() : undefined;
  if (declared === null && reader === undefined) return EMPTY;
  let cancelTimer: (() => void) | undefined;
  const late = new Promise<never>((_, reject) => {
    cancelTimer = clock.after(Math.max(0, deadlineAtMs - clock.nowMs()), () => {
      reject(fault("request_timeout", "Request body did not arrive before the deadline"));
    });
  });
  try {
    // The declared length is enforced by the server, so the quick way is safe where it is present.
    const read = reader === undefined ? readDeclared(request) : readChunks(reader, bodyBytesMax, hold);
    return await Promise.race([read, late]);
  } finally {
    cancelTimer?.();
    // A client may send on after it was refused; what it sends then, nobody would give back to the budget.
    reader?.cancel().catch(() => {});
  }
}

async function readDeclared(request: Request): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return new Uint8Array(await request.arrayBuffer());
  } catch (error) {
    throw brokenOff(error);
  }
}

async function readChunks(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  bodyBytesMax: number,
  hold: BodyHold,
): Promise<Uint8Array<ArrayBuffer>> {
  // Copied as they come: a chunk of one byte is a view of a buffer of the server's of 64 KiB.
  let whole = new Uint8Array(Math.min(FIRST_BYTES, bodyBytesMax));
  let bytes = 0;
  for (;;) {
    const { value: chunk } = await readChunk(reader);
    if (chunk === undefined) return resized(whole, bytes);
    const end = bytes + chunk.length;
    if (end > bodyBytesMax) throw tooLarge(bodyBytesMax, end);
    hold.grow(chunk.length);
    if (end > whole.length) whole = resized(whole, Math.min(bodyBytesMax, Math.max(end, 2 * whole.length)));
    whole.set(chunk, bytes);
    bytes = end;
  }
}

/** The bytes with room for more, or less; the old array is gone. */
function resized({ buffer }: Uint8Array<ArrayBuffer>, length: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(buffer.transfer(length));
}

async function readChunk(
  reader: ReadableStreamDefaultReader<Uint8Array>,
): Promise<ReadableStreamReadResult<Uint8Array>> {
  try {
    return await reader.read();
  } catch (error) {
    throw brokenOff(error);
  }
}

function brokenOff(cause: unknown): Error {
  return fault("bad_request", "Request body broke off", { cause });
}

function tooLarge(max: number, actual: number): Error {
  return fault("body_too_large", limitMessage("Request body is too large", "bodyBytesMax", max, actual));
}
