/**
 * LogFilter: which log events are written.
 *
 * Owns the syntax of `TENSOR_WASM_LOG`: levels and `target=level`, separated by commas. The longest target
 * that is a prefix of the event's, at a `::` or `.`, decides; hyphen and underscore are alike. Span filters
 * are refused, not ignored. Invariant: a filter that parses answers for every target; a text that does not is
 * an error that shows the place.
 */
import { LOG_LEVELS, type LogLevel } from "./log_line.ts";

/** A filter text that does not parse; the message shows the text with a caret below the place. */
export class LogFilterError extends Error {
  override readonly name = "LogFilterError";
}

interface Directive {
  /** Empty for all targets. Hyphens are underscores here. */
  readonly target: string;
  readonly rank: number;
}

/** The rank of `off`: above every level. */
const OFF = LOG_LEVELS.length;
const TARGET = /^[A-Za-z0-9_][A-Za-z0-9_\-.:]*$/;

/** The position of a level in the order of gravity. */
export function rankOf(level: LogLevel): number {
  return LOG_LEVELS.indexOf(level);
}

/** A parsed filter. */
export class LogFilter {
  readonly #directives: readonly Directive[];

  /** Use parseLogFilter. Later directives must win over earlier ones of the same target. */
  constructor(directives: readonly Directive[]) {
    this.#directives = directives.toSorted((a, b) => b.target.length - a.target.length);
  }

  /** The lowest rank that is written for a target; above every level's rank when none is. */
  rankMinOf(target: string): number {
    const plain = target.replaceAll("-", "_");
    return this.#directives.find((directive) => covers(directive.target, plain))?.rank ?? OFF;
  }

  /** Whether an event is written. */
  enabled(target: string, level: LogLevel): boolean {
    return rankOf(level) >= this.rankMinOf(target);
  }
}

function covers(prefix: string, target: string): boolean {
  if (prefix === "" || prefix === target) return true;
  return target.startsWith(prefix) && /^(?:::|\.)/.test(target.slice(prefix.length));
}

/**
 * Parses a filter such as `info,tensor_wasm_exec=debug,wasmtime=off`.
 *
 * @throws LogFilterError naming the directive that is wrong and its place
 */
export function parseLogFilter(text: string): LogFilter {
  const byTarget = new Map<string, Directive>();
  let at = 0;
  for (const part of text.split(",")) {
    const start = at + (part.length - part.trimStart().length);
    const trimmed = part.trim();
    at += part.length + 1;
    if (trimmed === "") continue;
    const directive = parseDirective(text, trimmed, start);
    byTarget.set(directive.target, directive);
  }
  if (byTarget.size === 0) fail(text, 0, "The log filter is empty");
  return new LogFilter([...byTarget.values()]);
}

function parseDirective(text: string, part: string, start: number): Directive {
  const bracket = part.search(/[[{]/);
  if (bracket >= 0) fail(text, start + bracket, "Span filters are not supported yet");
  const equals = part.indexOf("=");
  if (equals < 0) {
    const rank = findRank(part);
    // As in EnvFilter, a target alone asks for all of its levels.
    return rank === undefined ? { target: checkTarget(text, part, start), rank: 0 } : { target: "", rank };
  }
  const target = checkTarget(text, part.slice(0, equals), start);
  const level = part.slice(equals + 1).trim();
  const rank = findRank(level);
  if (rank === undefined) {
    const place = start + equals + 1;
    fail(
      text,
      place,
      `Unknown level ${JSON.stringify(level)}, expected off, error, warn, info, debug or trace`,
    );
  }
  return { target, rank };
}

function findRank(word: string): number | undefined {
  const lower = word.toLowerCase();
  if (lower === "off") return OFF;
  const rank = (LOG_LEVELS as readonly string[]).indexOf(lower);
  return rank < 0 ? undefined : rank;
}

function checkTarget(text: string, target: string, start: number): string {
  const trimmed = target.trim();
  if (!TARGET.test(trimmed)) fail(text, start, `${JSON.stringify(trimmed)} is neither a level nor a target`);
  return trimmed.replaceAll("-", "_");
}

function fail(text: string, at: number, what: string): never {
  // deno-lint-ignore no-control-regex
  const shown = text.replace(/[\u0000-\u001f\u007f-\u009f]/g, " ");
  throw new LogFilterError(`${what}\n  ${shown}\n  ${" ".repeat(at)}^`);
}
