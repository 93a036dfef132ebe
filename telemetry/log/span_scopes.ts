/**
 * Span scopes: which spans enclose a span, with their names and attributes.
 *
 * Owns the links from the ids of a span to its facts and to its parent's ids; there is one only while the log
 * filter asks for spans. Invariant: links live exactly as long as the ids they hang on, so that nothing has to
 * be taken back and nothing can leak.
 */
import type { SpanIds } from "../trace/ids.ts";
import type { SpanFacts } from "./log_directive.ts";

interface Link {
  readonly facts: SpanFacts;
  readonly parent: SpanIds | undefined;
}

/** Most spans that are looked at for one event; trees here are ten deep. */
const CHAIN_LENGTH_MAX = 64;

/** The spans that this process made or allotted ids for. */
export class SpanScopes {
  readonly #links = new WeakMap<SpanIds, Link>();

  /** Notes a span. */
  enter(ids: SpanIds, parent: SpanIds | undefined, facts: SpanFacts): void {
    this.#links.set(ids, { facts, parent });
  }

  /** The span of `ids`, then its parent, and so on; nothing for ids of another process. */
  *chain(ids: SpanIds | undefined): Iterable<SpanFacts> {
    let at = ids;
    for (let length = 0; at !== undefined && length < CHAIN_LENGTH_MAX; length += 1) {
      const link = this.#links.get(at);
      if (link === undefined) return;
      yield link.facts;
      at = link.parent;
    }
  }
}
