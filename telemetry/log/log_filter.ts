/**
 * LogFilter: which log events are written.
 *
 * Owns what directives mean together, as EnvFilter has it. Of those without a span, the most specific that
 * covers an event's target and fields decides. Those that name a span, or values of a span's fields, add to
 * that: within a span that they match, or any span inside it, events from their level on are written too.
 * Invariant: a filter without such directives decides by one comparison per event.
 */
import type { SpanIds } from "../trace/ids.ts";
import {
  compareSpecificity,
  coversTarget,
  type Directive,
  formatDirective,
  matchesSpan,
  OFF_RANK,
  plainTarget,
  type SpanFacts,
} from "./log_directive.ts";
import { parseDirectives } from "./log_filter_parser.ts";
import { LOG_LEVELS, type LogFields, type LogLevel } from "./log_line.ts";

export { LogFilterError } from "./log_filter_parser.ts";

/** The position of a level in the order of gravity. */
export function rankOf(level: LogLevel): number {
  return LOG_LEVELS.indexOf(level);
}

/** The enclosing spans of an event, innermost first; span_scopes.ts has them. */
export interface SpanChains {
  chain(ids: SpanIds | undefined): Iterable<SpanFacts>;
}

/** A parsed filter. */
export class LogFilter {
  readonly #directives: readonly Directive[];
  /** Decide by target and names of fields, the most specific first. */
  readonly #statics: readonly Directive[];
  /** Decide by spans, the most specific first. */
  readonly #dynamics: readonly Directive[];

  /** Use parseLogFilter. A directive wins over earlier ones of the same target, span and fields. */
  constructor(directives: readonly Directive[]) {
    const byText = new Map<string, Directive>();
    for (const directive of directives) byText.set(formatDirective({ ...directive, rank: 0 }), directive);
    this.#directives = [...byText.values()].toSorted(compareSpecificity);
    this.#statics = this.#directives.filter((directive) =>
      directive.span === undefined && directive.fields.every((field) => field.value === undefined)
    );
    this.#dynamics = this.#directives.filter((directive) =>
      directive.span !== undefined || directive.fields.length > 0
    );
  }

  /** Whether it has to be told of spans. */
  get asksForSpans(): boolean {
    return this.#dynamics.length > 0;
  }

  /** What it says about the events of a target. */
  forTarget(target: string, spans: SpanChains | undefined): TargetFilter {
    const plain = plainTarget(target);
    const covering = this.#statics.filter((directive) => coversTarget(directive.target, plain));
    const base = covering.findIndex((directive) => directive.fields.length === 0);
    const byFields = base < 0 ? covering : covering.slice(0, base);
    const dynamics = spans === undefined ? [] : this.#dynamics;
    return new TargetFilter(covering[base]?.rank ?? OFF_RANK, byFields, dynamics, spans);
  }

  /** The canonical text; it parses to the same filter. */
  toString(): string {
    return this.#directives.map(formatDirective).join(",");
  }
}

/** A filter's word on one target. */
export class TargetFilter {
  /** No event of a lower rank is written, whatever its spans and fields. */
  readonly rankMin: number;
  /** Every event of this rank and above is written. */
  readonly rankAlways: number;
  readonly #rankBase: number;
  readonly #byFields: readonly Directive[];
  readonly #bySpan: readonly Directive[];
  readonly #spans: SpanChains | undefined;

  constructor(
    rankBase: number,
    byFields: readonly Directive[],
    bySpan: readonly Directive[],
    spans: SpanChains | undefined,
  ) {
    const ranks = byFields.map((directive) => directive.rank);
    this.#rankBase = rankBase;
    this.#byFields = byFields;
    this.#bySpan = bySpan;
    this.#spans = spans;
    this.rankMin = Math.min(rankBase, ...ranks, ...bySpan.map((directive) => directive.rank));
    this.rankAlways = Math.max(rankBase, ...ranks);
  }

  /** Whether an event is written. `ids` are those of the span that it belongs to. */
  admits(rank: number, fields: LogFields | undefined, ids: SpanIds | undefined): boolean {
    if (rank >= this.rankAlways) return true;
    return rank >= this.rankMin && (rank >= this.#rankOf(fields) || this.#isWithinSpan(rank, ids));
  }

  /** Whether an event whose fields are not known yet may be written. */
  mayAdmit(rank: number, ids: SpanIds | undefined): boolean {
    if (rank < this.rankMin) return false;
    const rankBest = Math.min(this.#rankBase, ...this.#byFields.map((directive) => directive.rank));
    return rank >= rankBest || this.#isWithinSpan(rank, ids);
  }

  #rankOf(fields: LogFields | undefined): number {
    for (const directive of this.#byFields) {
      if (fields === undefined) break;
      if (directive.fields.every((field) => Object.hasOwn(fields, field.name))) return directive.rank;
    }
    return this.#rankBase;
  }

  #isWithinSpan(rank: number, ids: SpanIds | undefined): boolean {
    if (this.#bySpan.length === 0 || this.#spans === undefined) return false;
    for (const span of this.#spans.chain(ids)) {
      const directive = this.#bySpan.find((known) => matchesSpan(known, span));
      if (directive !== undefined && rank >= directive.rank) return true;
    }
    return false;
  }
}

/**
 * Parses a filter such as `info,tensor_wasm_exec=debug,[http.request{uri=/functions/.*}]=trace`.
 *
 * @throws LogFilterError naming what is wrong and its place
 */
export function parseLogFilter(text: string): LogFilter {
  return new LogFilter(parseDirectives(text));
}
