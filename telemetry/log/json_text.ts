/**
 * JSON text: strings as JSON that no terminal and no line reader can be fooled with.
 *
 * Owns the escaping of log lines and printed spans. Invariant: the result has no control character (C0, DEL,
 * C1), no line or paragraph separator and no lone surrogate, so that one record is one line everywhere and
 * cannot carry an escape sequence.
 */

/** What needs no escaping and is not worth a call of JSON.stringify. */
const PLAIN = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;
/** What JSON.stringify leaves as it is although some readers take it for a control character or a line end. */
const LEFT_OVER = /[\x7f-\x9f\u2028\u2029]/g;

/** A string as a JSON string. */
export function quoteJson(text: string): string {
  return PLAIN.test(text) ? `"${text}"` : escapeJson(JSON.stringify(text));
}

/** Escapes what JSON.stringify leaves over; `json` is its result. */
export function escapeJson(json: string): string {
  return json.replace(LEFT_OVER, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
