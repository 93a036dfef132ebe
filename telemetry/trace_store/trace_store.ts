/**
 * TraceStore: the last traces of this process, with their spans and log lines, to be asked for.
 *
 * Owns the composition of collector and ring, and reading: one trace, or a list. What is kept on disk is
 * trace_keeper.ts's. Invariant: whoever asks for a tenant sees the pieces of that tenant and of nobody else, also
 * where two tenants use one trace id.
 */
import type { LocalTrace } from "../trace/local_trace.ts";
import type { LoggedEvent } from "../log/log_tap.ts";
import { type KeeperConfig, type KeeperCounts, type TraceFolder, TraceKeeper } from "./trace_keeper.ts";
import { PieceReader } from "./piece_reader.ts";
import { PieceWriter } from "./piece_writer.ts";
import { type CollectorBounds, TraceCollector } from "./trace_collector.ts";
import type { PieceSummary, TracePiece } from "./trace_piece.ts";
import {
  matchesQuery,
  mergePieces,
  mergeSummaries,
  type StoredTrace,
  type TracePage,
  type TraceQuery,
  type TraceSummary,
} from "./trace_query.ts";
import { type EvictionReason, type PieceNumber, type RingBounds, TraceRing } from "./trace_ring.ts";

/** How much is kept. */
export interface TraceStoreConfig extends RingBounds, CollectorBounds, KeeperConfig {}

/** Who is told what became of pieces. */
export interface TraceStoreCounts extends KeeperCounts {
  evicted(pieceCount: number, reason: EvictionReason): void;
  /** A piece is in the ring, and not yet in the folder. */
  stored?(): void;
}

/** Pieces of one trace that are read for one answer. */
const PIECES_PER_ANSWER_MAX = 256;
/** Spans, and lines, of one answer. */
const ELEMENTS_PER_ANSWER_MAX = 5_000;
/** Pieces that are looked at for one page, and between two looks at the event loop. */
const SCAN_MAX = 20_000;
const SCAN_AT_ONCE_MAX = 500;

/** Keeps traces. */
export class TraceStore {
  readonly collector: TraceCollector;
  readonly ring: TraceRing;
  readonly #nowMs: () => number;
  readonly #keeper: TraceKeeper;

  constructor(config: TraceStoreConfig, nowMs: () => number, counts: TraceStoreCounts) {
    this.#nowMs = nowMs;
    this.ring = new TraceRing(config, {
      evicted: (count, reason) => counts.evicted(count, reason),
      sealed: () => this.#keeper.write(),
    });
    this.#keeper = new TraceKeeper(this.ring, config, nowMs, counts);
    this.collector = new TraceCollector(config, (content) => {
      if (this.ring.append(content, nowMs())) counts.stored?.();
      else counts.dropped(1, "trace_full");
    });
  }

  /** The log's tap. */
  readonly line = (event: LoggedEvent): void => this.collector.line(event);

  /**
   * Takes in what an earlier process left in a folder, and from now on leaves there what this one keeps. Before
   * the first trace. Never rejects: what cannot be read is counted and left out.
   */
  async keepIn(folder: TraceFolder): Promise<void> {
    await this.#keeper.keepIn(folder);
  }

  /** Hands what is new to the folder. Returns at once. */
  write(): void {
    this.#keeper.write();
  }

  /** To be called about once a second: puts away what came late, forgets what is too old, writes to the folder. */
  sweep(): void {
    const nowMs = this.#nowMs();
    this.collector.sweep(nowMs);
    this.ring.expire(nowMs);
    this.#keeper.write();
  }

  /** Writes everything, what still runs included, and lets go of the folder. */
  async close(): Promise<void> {
    this.collector.flush();
    await this.#keeper.close();
  }

  /** A trace as far as it is known; undefined if it is not, or if all of it is of other tenants. */
  find(traceId: string, tenant: string | undefined): StoredTrace | undefined {
    const numbers = this.ring.numbersOf(traceId);
    const pieces: TracePiece[] = [];
    for (let index = numbers.length - 1; index >= 0 && pieces.length < PIECES_PER_ANSWER_MAX; index--) {
      const piece = this.ring.piece(numbers[index] ?? 0);
      if (piece !== undefined && (tenant === undefined || piece.summary.tenant === tenant)) {
        pieces.unshift(piece);
      }
    }
    const running = this.#liveOf(traceId, tenant);
    pieces.push(...toLivePieces(running));
    if (pieces.length === 0) return undefined;
    return mergePieces(pieces, {
      isRunning: running.some(isOpen),
      nowMs: this.#nowMs(),
      elementsMax: ELEMENTS_PER_ANSWER_MAX,
    });
  }

  /** A page of traces, newest first. Those that run come first, on the first page. */
  async list(query: TraceQuery): Promise<TracePage> {
    const traces: TraceSummary[] = [];
    const seen = new Set<string>();
    const live = this.#liveByTrace(query.tenant);
    if (query.before === undefined) {
      for (const local of [...live.values()].flat().reverse()) {
        if (traces.length >= query.limit) break;
        if (wasSeen(seen, local.traceId, local.tenant)) continue;
        const trace = this.#summaryOf(local, live);
        if (trace !== undefined && matchesQuery(trace, query)) traces.push(trace);
      }
    }
    let number = Math.min(query.before ?? Infinity, this.ring.next);
    for (let scanned = 0; traces.length < query.limit && scanned < SCAN_MAX; scanned++) {
      if (scanned % SCAN_AT_ONCE_MAX === SCAN_AT_ONCE_MAX - 1) {
        await new Promise((resolve) => setTimeout(resolve, 0));
      }
      const older = this.ring.before(number);
      const summary = older === undefined ? undefined : this.ring.summary(older);
      if (older === undefined || summary === undefined) return { traces, next: undefined };
      number = older;
      if (query.tenant !== undefined && summary.tenant !== query.tenant) continue;
      if (wasSeen(seen, summary.traceId, summary.tenant)) continue;
      if (this.#wasShown(number, summary, query.before)) continue;
      const trace = this.#summaryOf(summary, live);
      if (trace !== undefined && matchesQuery(trace, query)) traces.push(trace);
    }
    return { traces, next: this.ring.before(number) === undefined ? undefined : number };
  }

  /** Whether an earlier page has shown the trace already, for a newer piece of it. */
  #wasShown(
    number: PieceNumber,
    { traceId, tenant }: TraceOfTenant,
    before: PieceNumber | undefined,
  ): boolean {
    if (before === undefined) return false;
    const numbers = this.ring.numbersOf(traceId);
    for (
      let index = numbers.length - 1;
      index >= 0 && index >= numbers.length - PIECES_PER_ANSWER_MAX;
      index--
    ) {
      const other = numbers[index] ?? 0;
      if (other <= number) return false;
      if (other >= before && this.ring.summary(other)?.tenant === tenant) return true;
    }
    return false;
  }

  #summaryOf({ traceId, tenant }: TraceOfTenant, live: LiveByTrace): TraceSummary | undefined {
    const summaries: PieceSummary[] = [];
    for (const number of this.ring.numbersOf(traceId).slice(-PIECES_PER_ANSWER_MAX)) {
      const summary = this.ring.summary(number);
      if (summary !== undefined && summary.tenant === tenant) summaries.push(summary);
    }
    const running = (live.get(traceId) ?? []).filter((local) => local.tenant === tenant);
    summaries.push(...toLivePieces(running).map((piece) => piece.summary));
    if (summaries.length === 0) return undefined;
    return mergeSummaries(summaries, running.some(isOpen), this.#nowMs());
  }

  #liveOf(traceId: string, tenant: string | undefined): LocalTrace[] {
    const found: LocalTrace[] = [];
    for (const { local } of this.collector.live) {
      if (local.traceId === traceId && (tenant === undefined || local.tenant === tenant)) found.push(local);
    }
    return found;
  }

  #liveByTrace(tenant: string | undefined): LiveByTrace {
    const found = new Map<string, LocalTrace[]>();
    for (const { local } of this.collector.live) {
      if (!local.isStored || (tenant !== undefined && local.tenant !== tenant)) continue;
      const others = found.get(local.traceId);
      if (others === undefined) found.set(local.traceId, [local]);
      else others.push(local);
    }
    return found;
  }
}

type LiveByTrace = ReadonlyMap<string, readonly LocalTrace[]>;

interface TraceOfTenant {
  readonly traceId: string;
  readonly tenant: string | undefined;
}

function isOpen(local: LocalTrace): boolean {
  return local.open.length > 0;
}

function wasSeen(seen: Set<string>, traceId: string, tenant: string | undefined): boolean {
  const key = `${traceId} ${tenant ?? ""}`;
  if (seen.has(key)) return true;
  seen.add(key);
  return false;
}

/** What is known of parts that run: written and read back, so that it looks like any other. */
function toLivePieces(parts: readonly LocalTrace[]): TracePiece[] {
  return parts.flatMap((local) => {
    const { spans: ended = [], lines = [], droppedCount = 0 } = local.collected ?? {};
    // The outermost span comes last, as it does when all have ended.
    const spans = [...ended, ...local.open.toReversed()];
    if (spans.length + lines.length === 0) return [];
    const writer = new PieceWriter();
    writer.write({ local, spans, lines, droppedCount });
    return [new PieceReader(writer.take(), writer.strings.texts).piece()];
  });
}
