/**
 * Bad JSON: what a caller is told of a text that does not parse.
 *
 * Owns the words. They name the place and show nothing of the text, nor of what the parser says. Invariant: whatever
 * the engine's messages become, a message is made.
 */

/** Why bytes are not JSON, by what decoding or parsing them threw. */
export function badJson(what: string, error: unknown): string {
  if (!(error instanceof SyntaxError)) return `${what} is not JSON in UTF-8`;
  const [, line, column] = /\(line ([0-9]+) column ([0-9]+)\)$/.exec(error.message) ?? [];
  if (line !== undefined) return `${what} is not JSON: wrong at line ${line}, column ${column}`;
  const isCut = error.message === "Unexpected end of JSON input";
  return `${what} is not JSON${isCut ? ": it ends too early" : ""}`;
}
