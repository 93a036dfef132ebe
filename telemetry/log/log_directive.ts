/**
 * Log directives: one part of a log filter, as data.
 *
 * Owns the shape, the order of specificity, matching against a span, and the canonical text. It does not parse
 * (log_filter_parser.ts) and decides nothing about events (log_filter.ts). Invariant: parsing the text of a
 * directive gives the same directive.
 */
import { LOG_LEVELS } from "./log_line.ts";
import type { AttributeValue } from "../names.ts";

/** The rank of `off`: above every level's. */
export const OFF_RANK = LOG_LEVELS.length;

/** What a field's value has to be. */
export type ValueMatch =
  | { readonly type: "boolean"; readonly value: boolean }
  | { readonly type: "number"; readonly value: number }
  /** Exactly this text: a quoted value. */
  | { readonly type: "text"; readonly value: string }
  /** The whole text of the value matches a regular expression. */
  | { readonly type: "pattern"; readonly source: string; readonly matches: (text: string) => boolean };

/** A field that a span or event must have; any value will do where none is given. */
export interface FieldMatch {
  readonly name: string;
  readonly value: ValueMatch | undefined;
}

/** `target[span{field=value,…}]=level`; each part may be absent. */
export interface Directive {
  /** Empty for all targets. Hyphens are underscores here. */
  readonly target: string;
  readonly span: string | undefined;
  readonly fields: readonly FieldMatch[];
  /** The lowest rank that is written, OFF_RANK for none. */
  readonly rank: number;
}

/** What a directive needs to know about a span. */
export interface SpanFacts {
  readonly name: string;
  /** Its scope, with underscores for hyphens. */
  readonly target: string;
  attribute(name: string): AttributeValue | undefined;
}

/** Longest value that a pattern is tried on; a longer one does not match. */
const PATTERN_TEXT_LENGTH_MAX = 4096;

/** Hyphens and underscores in targets are alike: crates are named with one and logged with the other. */
export function plainTarget(target: string): string {
  return target.replaceAll("-", "_");
}

/** Whether a directive's target covers a target: equal, or a prefix that ends at `::` or `.`. */
export function coversTarget(prefix: string, target: string): boolean {
  if (prefix === "" || prefix === target) return true;
  return target.startsWith(prefix) &&
    (target.startsWith("::", prefix.length) || target[prefix.length] === ".");
}

/** Orders the most specific first: longest target, then a span's name, then more fields, then more values. */
export function compareSpecificity(a: Directive, b: Directive): number {
  return b.target.length - a.target.length ||
    Number(b.span !== undefined) - Number(a.span !== undefined) ||
    b.fields.length - a.fields.length ||
    countValues(b) - countValues(a);
}

function countValues(directive: Directive): number {
  return directive.fields.filter((field) => field.value !== undefined).length;
}

/** Whether a span is one that the directive means. */
export function matchesSpan(directive: Directive, span: SpanFacts): boolean {
  if (directive.span !== undefined && directive.span !== span.name) return false;
  if (!coversTarget(directive.target, span.target)) return false;
  return directive.fields.every((field) => matchesValue(field.value, span.attribute(field.name)));
}

/**
 * Whether a value is as asked for. Numbers and booleans match themselves and their text, since many ids are
 * numbers kept as text; text and patterns match the text of anything.
 */
export function matchesValue(match: ValueMatch | undefined, value: AttributeValue | undefined): boolean {
  if (value === undefined) return false;
  if (match === undefined) return true;
  const text = Array.isArray(value) ? JSON.stringify(value) : String(value);
  switch (match.type) {
    case "boolean":
    case "number":
      return value === match.value || text === String(match.value);
    case "text":
      return text === match.value;
    case "pattern":
      return text.length <= PATTERN_TEXT_LENGTH_MAX && match.matches(text);
  }
}

/** The canonical text of a directive. */
export function formatDirective(directive: Directive): string {
  const { target, span, fields, rank } = directive;
  const level = LOG_LEVELS[rank] ?? "off";
  if (span === undefined && fields.length === 0) return target === "" ? level : `${target}=${level}`;
  const name = span === undefined ? "" : /^[\w:.\-]+$/.test(span) ? span : quote(span);
  const list = fields.length === 0 ? "" : `{${fields.map(formatField).join(",")}}`;
  return `${target}[${name}${list}]=${level}`;
}

function formatField({ name, value }: FieldMatch): string {
  if (value === undefined) return name;
  if (value.type === "pattern") return `${name}=${value.source}`;
  return `${name}=${value.type === "text" ? quote(value.value) : String(value.value)}`;
}

function quote(text: string): string {
  return `"${text.replaceAll(/["\\]/g, "\\$&")}"`;
}
