/**
 * Idempotency keys: the header by which a caller makes a repeated request harmless.
 *
 * Owns its name and form. What a key stands for, the store knows.
 */
import { fault } from "../model/fault.ts";
import type { GatewayContext } from "./environment.ts";

/** The header's name. */
export const IDEMPOTENCY_HEADER = "idempotency-key";

const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,255}$/;

/** The key of a request, undefined when it has none. Throws `bad_request`. */
export function idempotencyKeyOf(c: GatewayContext): string | undefined {
  const key = c.req.header(IDEMPOTENCY_HEADER);
  if (key !== undefined && !IDEMPOTENCY_KEY.test(key)) {
    throw fault("bad_request", "Idempotency-Key is not 1 to 255 printable ASCII characters");
  }
  return key;
}
