/**
 * Trace tree: the spans and log lines of a trace under each other, by time.
 *
 * Owns what stands under what, and which of many spans that are alike are left out. It knows no layout. Invariant:
 * what failed, and what has log lines, is never left out.
 */
import type { LogRow, SpanRow, TraceDetail } from "./trace_body.ts";

/** So many spans of one name under one span are shown; of more than that, the first and the longest. */
export const ALIKE_MAX = 12;
const FIRST_SHOWN = 3;
const LONGEST_SHOWN = 3;

/** Spans that are left out. */
export interface LeftOut {
  readonly name: string;
  readonly count: number;
  readonly meanMs: number;
}

/** Something under a span, by time. */
export type TreeItem =
  & { readonly atMs: number }
  & ({ readonly span: SpanRow } | { readonly log: LogRow } | { readonly leftOut: LeftOut });

/** A trace as a tree. */
export class TraceTree {
  readonly #spans: ReadonlyMap<string, SpanRow>;
  readonly #items = new Map<string, TreeItem[]>();

  /** @param isWhole nothing is left out */
  constructor(trace: TraceDetail, isWhole: boolean) {
    this.#spans = new Map(trace.spans.map((span) => [span.span_id, span]));
    for (const span of trace.spans) this.#place(span.parent_span_id, { atMs: span.start_unix_ms, span });
    for (const log of trace.logs) this.#place(log.span_id, { atMs: log.unix_ms, log });
    for (const items of this.#items.values()) items.sort((a, b) => a.atMs - b.atMs);
    if (isWhole) return;
    for (const [id, items] of this.#items) this.#items.set(id, this.#thinned(items));
  }

  /** What stands at the top. */
  get roots(): readonly TreeItem[] {
    return this.#items.get("") ?? [];
  }

  /** What stands under a span. */
  under({ span_id }: SpanRow): readonly TreeItem[] {
    return this.#items.get(span_id) ?? [];
  }

  /** Under its parent if that is here, else at the top. */
  #place(parentId: string | undefined, item: TreeItem): void {
    const key = parentId !== undefined && this.#spans.has(parentId) ? parentId : "";
    const items = this.#items.get(key);
    if (items === undefined) this.#items.set(key, [item]);
    else items.push(item);
  }

  #thinned(items: TreeItem[]): TreeItem[] {
    const byName = Map.groupBy(
      items.flatMap((item) => "span" in item && this.#isPlain(item.span) ? [item.span] : []),
      ({ name }) => name,
    );
    let kept = items;
    for (const [name, spans] of byName) {
      if (spans.length <= ALIKE_MAX) continue;
      const later = spans.slice(FIRST_SHOWN).sort((a, b) => durationOf(b) - durationOf(a));
      const leftOut = new Set(later.slice(LONGEST_SHOWN));
      const meanMs = [...leftOut].reduce((sum, span) => sum + durationOf(span), 0) / leftOut.size;
      const note = { atMs: kept.at(-1)?.atMs ?? 0, leftOut: { name, count: leftOut.size, meanMs } };
      const last = kept.findLastIndex((item) => "span" in item && item.span.name === name);
      kept = [...kept.slice(0, last + 1), note, ...kept.slice(last + 1)]
        .filter((item) => !("span" in item && leftOut.has(item.span)));
    }
    return kept;
  }

  /** Nothing failed in it and nothing was said. */
  #isPlain(span: SpanRow): boolean {
    return span.error === undefined && span.duration_ms !== undefined &&
      this.under(span).every((item) => "span" in item && this.#isPlain(item.span));
  }
}

function durationOf({ duration_ms }: SpanRow): number {
  return duration_ms ?? 0;
}
