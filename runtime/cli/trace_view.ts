/**
 * Trace view: a trace as text for people: the tree of its spans, and its log lines where they were written.
 *
 * Owns the layout. It reads no network and knows no terminal but for being told whether colours are wanted.
 * Invariant: what comes from callers and guests cannot act on the terminal: control characters are escaped.
 */
import type { LogRow, SpanRow, TraceDetail, TraceRow } from "./trace_body.ts";

const BAR_WIDTH = 20;
const NAME_WIDTH_MAX = 64;
const TEXT_LENGTH_MAX = 200;

/** Said already by the heading, or twice by the span itself. */
const HIDDEN = new Set([
  "http.request.method",
  "http.response.status_code",
  "http.route",
  "method",
  "url.path",
  "version",
  "function_id",
  "tenant",
  "instance",
]);
const LEVELS_IN_COLOUR: Readonly<Record<string, Colour>> = { error: "red", warn: "yellow" };

const CODES = { red: 31, green: 32, yellow: 33, dim: 2, bold: 1 } as const;
type Colour = keyof typeof CODES;

/** How it is to look. */
export interface ViewOptions {
  readonly hasColour: boolean;
}

/** The whole trace, ending with a newline. */
export function viewTrace(trace: TraceDetail, options: ViewOptions): string {
  return new TraceView(trace, options).text();
}

/** One line of a log by itself, for a trace that is being followed. */
export function viewLogLine(line: LogRow, { hasColour }: ViewOptions): string {
  const paint = painter(hasColour);
  return `${paint("dim", timeOf(line.unix_ms))} ${logText(line, paint)}\n`;
}

/** A list of traces as a table, ending with a newline. */
export function viewTraces(traces: readonly TraceRow[], { hasColour }: ViewOptions): string {
  const paint = painter(hasColour);
  const head = ["started", "trace", "status", "http", "duration", "spans", "logs", "tenant", "what"];
  const rows = traces.map((trace) => [
    new Date(trace.start_unix_ms).toISOString(),
    trace.trace_id,
    trace.complete ? trace.status : "running",
    String(trace.http_status ?? "-"),
    milliseconds(trace.duration_ms),
    String(trace.span_count),
    String(trace.log_count),
    trace.tenant ?? "-",
    whatOf(trace),
  ]);
  const widths = head.map((name, column) =>
    Math.max(name.length, ...rows.map((row) => row[column]?.length ?? 0))
  );
  const line = (cells: readonly string[], colour?: Colour): string => {
    const text = cells.map((cell, column) => column === 8 ? cell : cell.padEnd(widths[column] ?? 0)).join(
      "  ",
    );
    return (colour === undefined ? text : paint(colour, text)) + "\n";
  };
  return line(head, "dim") +
    rows.map((row, index) => line(row, traces[index]?.error === true ? "red" : undefined)).join("");
}

/** Something under a span, by time. */
type Item = { readonly atMs: number } & ({ readonly span: SpanRow } | { readonly log: LogRow });

class TraceView {
  readonly #trace: TraceDetail;
  readonly #paint: Paint;
  readonly #spans: ReadonlyMap<string, SpanRow>;
  readonly #items = new Map<string, Item[]>();
  readonly #lines: string[] = [];
  #nameWidth = 0;

  constructor(trace: TraceDetail, { hasColour }: ViewOptions) {
    this.#trace = trace;
    this.#paint = painter(hasColour);
    this.#spans = new Map(trace.spans.map((span) => [span.span_id, span]));
    for (const span of trace.spans) this.#place(span.parent_span_id, { atMs: span.start_unix_ms, span });
    for (const log of trace.logs) this.#place(log.span_id, { atMs: log.unix_ms, log });
    for (const items of this.#items.values()) items.sort((a, b) => a.atMs - b.atMs);
  }

  text(): string {
    this.#heading();
    const roots = this.#items.get("") ?? [];
    this.#measure(roots, 0);
    this.#nameWidth = Math.min(this.#nameWidth, NAME_WIDTH_MAX);
    this.#under(roots, "", true);
    if (this.#trace.truncated) {
      this.#lines.push(this.#paint("yellow", "Some spans or lines are missing: over a bound."));
    }
    return this.#lines.map((line) => `${line.trimEnd()}\n`).join("");
  }

  /** Under its parent if that is here, else at the top. */
  #place(parentId: string | undefined, item: Item): void {
    const key = parentId !== undefined && this.#spans.has(parentId) ? parentId : "";
    const items = this.#items.get(key);
    if (items === undefined) this.#items.set(key, [item]);
    else items.push(item);
  }

  #heading(): void {
    const { trace_id, complete, status, error, http_status, tenant, duration_ms, start_unix_ms } =
      this.#trace;
    const paint = this.#paint;
    const state = complete ? status : "running";
    const facts = [
      whatOf(this.#trace),
      ...(http_status === undefined ? [] : [String(http_status)]),
      paint(error ? "red" : complete ? "green" : "yellow", state),
      milliseconds(duration_ms),
      ...(tenant === undefined ? [] : [`tenant ${clean(tenant)}`]),
      new Date(start_unix_ms).toISOString(),
    ];
    this.#lines.push(`${paint("bold", `trace ${clean(trace_id)}`)}  ${facts.join("  ")}`, "");
  }

  #measure(items: readonly Item[], depth: number): void {
    for (const item of items) {
      if (!("span" in item)) continue;
      this.#nameWidth = Math.max(this.#nameWidth, item.span.name.length + 3 * depth);
      this.#measure(this.#items.get(item.span.span_id) ?? [], depth + 1);
    }
  }

  #under(items: readonly Item[], indent: string, isTop = false): void {
    const last = items.findLastIndex((item) => "span" in item);
    for (const [index, item] of items.entries()) {
      // A log line hangs on the line that goes down to the spans after it.
      const rest = index <= last ? "│  " : "   ";
      if ("log" in item) this.#log(item.log, indent + (isTop ? "" : rest));
      else if (isTop) this.#span(item.span, "", "");
      else {this.#span(
          item.span,
          indent + (index === last ? "└─ " : "├─ "),
          indent + (index < last ? "│  " : "   "),
        );}
    }
  }

  #span(span: SpanRow, first: string, indent: string): void {
    const paint = this.#paint;
    const items = this.#items.get(span.span_id) ?? [];
    const left = (first + clean(span.name)).padEnd(this.#nameWidth);
    const took = span.duration_ms === undefined ? "running" : milliseconds(span.duration_ms);
    const failed = span.error !== undefined;
    const name = failed ? first + paint("red", left.slice(first.length)) : left;
    this.#lines.push(
      `${name}  ${this.#bar(span)}  ${took.padStart(10)}  ${paint("dim", `+${this.#offset(span)}`)}`,
    );
    const under = indent + (items.some((item) => "span" in item) ? "│  " : "   ");
    if (failed) this.#lines.push(`${under}${paint("red", `! ${clean(span.error)}`)}`);
    const attributes = attributesText(span.attributes);
    if (attributes !== "") this.#lines.push(`${under}${paint("dim", attributes)}`);
    for (const event of span.events ?? []) {
      this.#lines.push(`${under}* ${clean(event.name)}  ${paint("dim", `+${this.#since(event.unix_ms)}`)}`);
    }
    this.#under(items, indent);
  }

  #log(log: LogRow, indent: string): void {
    const paint = this.#paint;
    this.#lines.push(`${indent}${paint("dim", `+${this.#since(log.unix_ms)}`)} ${logText(log, paint)}`);
  }

  /** Where the span lies in the whole: one cell at least. */
  #bar(span: SpanRow): string {
    const { start_unix_ms, duration_ms } = this.#trace;
    const whole = Math.max(duration_ms, 1e-6);
    const from = Math.max(0, (span.start_unix_ms - start_unix_ms) / whole);
    const to = span.duration_ms === undefined ? 1 : from + span.duration_ms / whole;
    const begin = Math.min(BAR_WIDTH - 1, Math.floor(from * BAR_WIDTH));
    const end = Math.min(BAR_WIDTH, Math.max(begin + 1, Math.round(to * BAR_WIDTH)));
    const bar = "█".repeat(end - begin);
    const coloured = span.error === undefined ? bar : this.#paint("red", bar);
    return "·".repeat(begin) + coloured + "·".repeat(BAR_WIDTH - end);
  }

  #offset(span: SpanRow): string {
    return this.#since(span.start_unix_ms);
  }

  #since(unixMs: number): string {
    return milliseconds(Math.max(0, unixMs - this.#trace.start_unix_ms));
  }
}

type Paint = (colour: Colour, text: string) => string;

function painter(hasColour: boolean): Paint {
  return hasColour ? (colour, text) => `\x1b[${CODES[colour]}m${text}\x1b[0m` : (_colour, text) => text;
}

function whatOf(trace: TraceRow): string {
  const { method, route, root } = trace;
  // The route is known at the end.
  const what = `${clean(method ?? "")} ${clean(route ?? root)}`.trim();
  return trace.function === undefined ? what : `${what}  ${clean(trace.function)}`;
}

function logText(log: LogRow, paint: Paint): string {
  const level = log.level.toUpperCase().padEnd(5);
  const colour = LEVELS_IN_COLOUR[log.level];
  const fields = attributesText(log.fields);
  const { line } = log.fields;
  // What a guest wrote is the point of its line.
  if (typeof line === "string") {
    return `${colour === undefined ? level : paint(colour, level)} ${clean(log.message)}: ${clean(line)}`;
  }
  return `${colour === undefined ? level : paint(colour, level)} ${clean(log.message)} ${
    paint("dim", fields)
  }`;
}

function attributesText(attributes: Readonly<Record<string, unknown>>): string {
  return Object.entries(attributes)
    .filter(([name, value]) => !HIDDEN.has(name) && value !== "unknown" && value !== null)
    .map(([name, value]) =>
      `${clean(name)}=${clean(typeof value === "string" ? value : JSON.stringify(value))}`
    )
    .join(" ");
}

function milliseconds(ms: number): string {
  if (ms >= 10_000) return `${(ms / 1000).toFixed(2)} s`;
  return `${ms >= 100 ? ms.toFixed(1) : ms.toFixed(ms >= 1 ? 2 : 3)} ms`;
}

function timeOf(unixMs: number): string {
  return new Date(unixMs).toISOString().slice(11, 23);
}

/** Without anything that a terminal would act on, and not without end. */
function clean(text: string | undefined): string {
  const short = text !== undefined && text.length > TEXT_LENGTH_MAX
    ? `${text.slice(0, TEXT_LENGTH_MAX)}…`
    : text ?? "";
  return short.replace(
    /[\p{Cc}\p{Cf}\u2028\u2029]/gu,
    (character) => `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`,
  );
}
