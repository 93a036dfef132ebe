/**
 * MediaRanges: what an Accept header asks for (RFC 9110 §12.5.1).
 *
 * Owns the form of the header. What is answered is the route's matter. Invariant: of what is malformed, what can be
 * read is taken: a header that asks for too much is no reason for an error.
 */

/** One range of the header; names and values in lower case, without quotes. */
export interface MediaRange {
  readonly type: string;
  /** As `name=value`. */
  readonly parameters: readonly string[];
}

const ANYTHING = "*/*";

/** The range of exactly that media type, unless it is not wanted (`q=0`). */
export function findMediaRange(accept: string | undefined, type: string): MediaRange | undefined {
  // What most clients send that care for nothing.
  if (accept === undefined || accept === ANYTHING) return undefined;
  return accept.split(",").map(parseRange).find((range) => range.type === type && !isUnwanted(range));
}

function parseRange(text: string): MediaRange {
  const [type = "", ...parameters] = text.toLowerCase().split(";").map((part) => part.trim());
  return { type, parameters: parameters.map(parseParameter) };
}

function parseParameter(text: string): string {
  return text.split("=", 2).map((part) => part.trim().replaceAll('"', "")).join("=");
}

function isUnwanted({ parameters }: MediaRange): boolean {
  return parameters.some((text) => /^q=0(\.0*)?$/.test(text));
}
