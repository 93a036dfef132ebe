/**
 * View text: the words of which views of traces are made, and how they are laid into lines.
 *
 * Owns colours, units, the folding of lines that are too long for a terminal, and the escaping of what comes from
 * callers and guests. It knows no view. Invariant: cleaned text cannot act on the terminal.
 */
import type { TraceRow } from "./trace_body.ts";

const TEXT_LENGTH_MAX = 200;

/** How a view is to look. */
export interface ViewOptions {
  readonly hasColour: boolean;
  /** Columns of the terminal; without them lines are as long as they are, for programs that read them. */
  readonly columns?: number;
}

const CODES = { red: 31, green: 32, yellow: 33, dim: 2, bold: 1 } as const;

/** A colour of the terminal, or another way to set text off. */
export type Colour = keyof typeof CODES;

/** Puts text into a colour, or leaves it. */
export type Paint = (colour: Colour, text: string) => string;

// deno-lint-ignore no-control-regex -- the colours themselves, which take no room
const COLOUR_CODE = /\x1b\[[0-9]+m/g;

/** The paint of a terminal with colours, or of anything else. */
export function painter(hasColour: boolean): Paint {
  return hasColour ? (colour, text) => `\x1b[${CODES[colour]}m${text}\x1b[0m` : (_colour, text) => text;
}

/** Words in lines of so many columns at most, but for a word that is longer by itself. */
export function fold(words: readonly string[], columns: number | undefined, separator = " "): string[] {
  const lines: string[] = [];
  let length = 0;
  for (const word of words) {
    const wordLength = word.replace(COLOUR_CODE, "").length;
    const line = lines.at(-1);
    const withWord = length + separator.length + wordLength;
    if (line === undefined || (columns !== undefined && withWord > columns)) {
      lines.push(word);
      length = wordLength;
    } else {
      lines[lines.length - 1] = line + separator + word;
      length = withWord;
    }
  }
  return lines;
}

/** What was asked: method, route and function. */
export function whatOf(trace: TraceRow): string {
  const { method, route, root } = trace;
  // The route is known at the end.
  const what = `${clean(method ?? "")} ${clean(route ?? root)}`.trim();
  return trace.function === undefined ? what : `${what}  ${clean(trace.function)}`;
}

/** How it went, or that it still does. */
export function stateOf({ complete, status }: TraceRow): string {
  return complete ? status : "running";
}

/** A time span as people read it. */
export function milliseconds(ms: number): string {
  if (ms >= 10_000) return `${(ms / 1000).toFixed(2)} s`;
  return `${ms >= 100 ? ms.toFixed(1) : ms.toFixed(ms >= 1 ? 2 : 3)} ms`;
}

/** Without anything that a terminal would act on, and not without end. */
export function clean(text: string | undefined): string {
  const short = text !== undefined && text.length > TEXT_LENGTH_MAX
    ? `${text.slice(0, TEXT_LENGTH_MAX)}…`
    : text ?? "";
  return short.replace(
    /[\p{Cc}\p{Cf}\u2028\u2029]/gu,
    (character) => `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`,
  );
}
