/**
 * Trace view: a trace as text for people: why it failed, the tree of its spans, and its log lines where they were
 * written.
 *
 * Owns the layout. It reads no network and knows no terminal but for what it is told of it. Invariant: what comes
 * from callers and guests cannot act on the terminal (view_text.ts cleans it).
 */
import type { LogRow, SpanRow, TraceDetail } from "./trace_body.ts";
import { isRecord } from "./gateway_client.ts";
import { type LeftOut, TraceTree, type TreeItem } from "./trace_tree.ts";
import {
  clean,
  type Colour,
  fold,
  milliseconds,
  type Paint,
  painter,
  stateOf,
  type ViewOptions,
  whatOf,
} from "./view_text.ts";

const BAR_WIDTH = 20;
/** A bar that is shorter shows nothing. */
const BAR_WIDTH_MIN = 6;
const NAME_WIDTH_MAX = 64;
/** What stands beside name and bar: spaces, duration, offset. */
const TIMES_WIDTH = 25;
/** What text has at least, however deep it stands and narrow the terminal is. */
const TEXT_WIDTH_MIN = 20;

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

/** How a trace is to look. */
export interface TreeViewOptions extends ViewOptions {
  /** Every span is shown, however many are alike. */
  readonly isWhole?: boolean;
}

/** The whole trace, ending with a newline. */
export function viewTrace(trace: TraceDetail, options: TreeViewOptions): string {
  return new TraceView(trace, options).text();
}

/** One line of a log by itself, for a trace that is being followed. */
export function viewLogLine(line: LogRow, { hasColour }: Pick<ViewOptions, "hasColour">): string {
  const paint = painter(hasColour);
  return `${[paint("dim", timeOf(line.unix_ms)), ...logWords(line, paint)].join(" ").trimEnd()}\n`;
}

class TraceView {
  readonly #trace: TraceDetail;
  readonly #paint: Paint;
  readonly #columns: number | undefined;
  readonly #tree: TraceTree;
  readonly #lines: string[] = [];
  /** Names without the path before them, where there is no room for it. */
  #isShort = false;
  #nameWidth = 0;
  #barWidth = BAR_WIDTH;

  constructor(trace: TraceDetail, { hasColour, columns, isWhole = false }: TreeViewOptions) {
    this.#trace = trace;
    this.#paint = painter(hasColour);
    this.#columns = columns;
    this.#tree = new TraceTree(trace, isWhole);
  }

  text(): string {
    this.#heading();
    const { roots } = this.#tree;
    this.#fit(roots);
    this.#under(roots, "", true);
    if (this.#trace.truncated) {
      this.#lines.push(this.#paint("yellow", "Some spans or lines are missing: over a bound."));
    }
    return this.#lines.map((line) => `${line.trimEnd()}\n`).join("");
  }

  #heading(): void {
    const { trace_id, complete, error, http_status, tenant, duration_ms, start_unix_ms } = this.#trace;
    const paint = this.#paint;
    const facts = [
      paint("bold", `trace ${clean(trace_id)}`),
      whatOf(this.#trace),
      ...(http_status === undefined ? [] : [String(http_status)]),
      paint(error ? "red" : complete ? "green" : "yellow", clean(stateOf(this.#trace))),
      milliseconds(duration_ms),
      ...(tenant === undefined ? [] : [`tenant ${clean(tenant)}`]),
      new Date(start_unix_ms).toISOString(),
    ];
    this.#lines.push(...fold(facts, this.#columns, "  "));
    const why = reasonOf(this.#trace);
    if (why !== undefined) {
      const said = lastWordsOf(this.#trace);
      for (const text of [`why: ${clean(why)}`, ...(said === undefined ? [] : [`guest: ${clean(said)}`])]) {
        this.#lines.push(...fold(text.split(" ").map((word) => paint("red", word)), this.#columns));
      }
    }
    this.#lines.push("");
  }

  /** Gives names and bars the room that there is: bars give way first, then what names begin with. */
  #fit(roots: readonly TreeItem[]): void {
    this.#nameWidth = Math.min(NAME_WIDTH_MAX, this.#widest(roots, 0));
    if (this.#columns === undefined) return;
    const room = this.#columns - TIMES_WIDTH;
    if (this.#nameWidth + BAR_WIDTH_MIN > room) {
      this.#isShort = true;
      this.#nameWidth = Math.min(NAME_WIDTH_MAX, this.#widest(roots, 0));
    }
    const barWidth = Math.min(BAR_WIDTH, room - this.#nameWidth);
    this.#barWidth = barWidth < BAR_WIDTH_MIN ? 0 : barWidth;
  }

  #widest(items: readonly TreeItem[], depth: number): number {
    let width = 0;
    for (const item of items) {
      if (!("span" in item)) continue;
      const below = this.#widest(this.#tree.under(item.span), depth + 1);
      width = Math.max(width, below, this.#nameOf(item.span).length + 3 * depth);
    }
    return width;
  }

  #nameOf({ name }: SpanRow): string {
    const path = this.#isShort ? name.lastIndexOf("::") : -1;
    return clean(path < 0 ? name : `…${name.slice(path + 2)}`);
  }

  #under(items: readonly TreeItem[], indent: string, isTop = false): void {
    const last = items.findLastIndex((item) => !("log" in item));
    for (const [index, item] of items.entries()) {
      // A log line hangs on the line that goes down to the spans after it.
      const rest = index <= last ? "│  " : "   ";
      if ("log" in item) this.#log(item.log, indent + (isTop ? "" : rest));
      else {
        const first = isTop ? "" : indent + (index === last ? "└─ " : "├─ ");
        if ("leftOut" in item) this.#row(first, leftOutWords(item.leftOut));
        else this.#span(item.span, first, isTop ? "" : indent + (index < last ? "│  " : "   "));
      }
    }
  }

  #span(span: SpanRow, first: string, indent: string): void {
    const paint = this.#paint;
    const items = this.#tree.under(span);
    const left = (first + this.#nameOf(span)).padEnd(this.#nameWidth);
    const took = span.duration_ms === undefined ? "running" : milliseconds(span.duration_ms);
    const failed = span.error !== undefined;
    const name = failed ? first + paint("red", left.slice(first.length)) : left;
    const bar = this.#barWidth === 0 ? "" : `  ${this.#bar(span)}`;
    this.#lines.push(`${name}${bar}  ${took.padStart(10)}  ${paint("dim", `+${this.#offset(span)}`)}`);
    const under = indent + (items.some((item) => !("log" in item)) ? "│  " : "   ");
    if (failed) this.#row(under, `! ${clean(span.error)}`.split(" ").map((word) => paint("red", word)));
    this.#row(under, attributeWords(span.attributes).map((word) => paint("dim", word)));
    for (const event of span.events ?? []) {
      this.#row(under, ["*", `${clean(event.name)} `, paint("dim", `+${this.#since(event.unix_ms)}`)]);
    }
    this.#under(items, indent);
  }

  #log(log: LogRow, indent: string): void {
    const paint = this.#paint;
    this.#row(indent, [paint("dim", `+${this.#since(log.unix_ms)}`), ...logWords(log, paint)]);
  }

  /** Words under a span; what is too long goes on a little further in. */
  #row(indent: string, words: readonly string[]): void {
    const room = this.#columns === undefined
      ? undefined
      : Math.max(TEXT_WIDTH_MIN, this.#columns - indent.length - 2);
    for (const [index, line] of fold(words, room).entries()) {
      this.#lines.push(`${indent}${index === 0 ? "" : "  "}${line}`);
    }
  }

  /** Where the span lies in the whole: one cell at least. */
  #bar(span: SpanRow): string {
    const { start_unix_ms, duration_ms } = this.#trace;
    const width = this.#barWidth;
    const whole = Math.max(duration_ms, 1e-6);
    const from = Math.max(0, (span.start_unix_ms - start_unix_ms) / whole);
    const to = span.duration_ms === undefined ? 1 : from + span.duration_ms / whole;
    const begin = Math.min(width - 1, Math.floor(from * width));
    const end = Math.min(width, Math.max(begin + 1, Math.round(to * width)));
    const bar = "█".repeat(end - begin);
    const coloured = span.error === undefined ? bar : this.#paint("red", bar);
    return "·".repeat(begin) + coloured + "·".repeat(width - end);
  }

  #offset(span: SpanRow): string {
    return this.#since(span.start_unix_ms);
  }

  #since(unixMs: number): string {
    return milliseconds(Math.max(0, unixMs - this.#trace.start_unix_ms));
  }
}

/** Why it failed: what the line says that tells of it, else what the last span says that failed. */
function reasonOf({ error, logs, spans }: TraceDetail): string | undefined {
  const line = logs.findLast(({ fields }) =>
    typeof fields["kind"] === "string" && fields["error"] !== undefined
  );
  if (line === undefined) {
    return error ? spans.findLast((span) => span.error !== undefined)?.error : undefined;
  }
  const { kind, stage, error: text } = line.fields;
  const message = isRecord(text) && typeof text["message"] === "string" ? text["message"] : textOf(text);
  return `${textOf(kind)}${stage === undefined ? "" : ` at ${textOf(stage)}`}: ${message}`;
}

/** The last line that the guest wrote on stderr: of a program that fails, mostly the reason. */
function lastWordsOf({ logs }: TraceDetail): string | undefined {
  const line = logs.findLast(({ message }) => message === "guest.stderr")?.fields["line"];
  return typeof line === "string" ? line : undefined;
}

function leftOutWords({ name, count, meanMs }: LeftOut): string[] {
  return `… ${count} more ${clean(name)}, of ${milliseconds(meanMs)} on average; --all shows them`.split(" ");
}

function logWords(log: LogRow, paint: Paint): string[] {
  const colour = LEVELS_IN_COLOUR[log.level];
  const name = clean(log.level).toUpperCase().padEnd(5);
  const level = colour === undefined ? name : paint(colour, name);
  const { line } = log.fields;
  // What a guest wrote is the point of its line.
  if (typeof line === "string") return [level, `${clean(log.message)}:`, ...clean(line).split(" ")];
  return [level, clean(log.message), ...attributeWords(log.fields).map((word) => paint("dim", word))];
}

function attributeWords(attributes: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(attributes)
    .filter(([name, value]) => !HIDDEN.has(name) && value !== "unknown" && value !== null)
    .flatMap(([name, value]) => `${clean(name)}=${clean(textOf(value))}`.split(" "));
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value) ?? "";
}

function timeOf(unixMs: number): string {
  return new Date(unixMs).toISOString().slice(11, 23);
}
