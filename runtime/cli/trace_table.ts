/**
 * Trace table: a list of traces as text for people.
 *
 * Owns the columns. Where a terminal is too narrow for all of them, a trace has two lines. Invariant: each trace's id
 * stands whole on a line that has nothing of another.
 */
import type { TraceRow } from "./trace_body.ts";
import { clean, milliseconds, painter, stateOf, type ViewOptions, whatOf } from "./view_text.ts";

const HEAD = ["started", "trace", "status", "http", "duration", "spans", "logs", "tenant", "what"];
const NARROW_HEAD = ["started", "trace", "status", "http", "duration"];

/** The table, ending with a newline. */
export function viewTraces(traces: readonly TraceRow[], { hasColour, columns }: ViewOptions): string {
  const paint = painter(hasColour);
  const wide = table([HEAD, ...traces.map(cellsOf)]);
  const isWide = columns === undefined || wide.every((line) => line.length <= columns);
  const [head = "", ...rows] = isWide ? wide : table([NARROW_HEAD, ...traces.map(narrowCellsOf)]);
  const lines = rows.flatMap((row, index) => {
    const trace = traces[index];
    if (trace === undefined) return [];
    const texts = isWide ? [row] : [row, `  ${whatOf(trace)}${tenantOf(trace)}`];
    return texts.map((text) => trace.error ? paint("red", text) : text);
  });
  return [paint("dim", head), ...lines].map((line) => `${line}\n`).join("");
}

function cellsOf(trace: TraceRow): string[] {
  return [
    new Date(trace.start_unix_ms).toISOString(),
    ...commonCellsOf(trace),
    String(trace.span_count),
    String(trace.log_count),
    clean(trace.tenant ?? "-"),
    whatOf(trace),
  ];
}

function narrowCellsOf(trace: TraceRow): string[] {
  // Month, day, and time of day to the second.
  const started = new Date(trace.start_unix_ms).toISOString().slice(5, 19).replace("T", " ");
  return [started, ...commonCellsOf(trace)];
}

function commonCellsOf(trace: TraceRow): string[] {
  const { trace_id, http_status, duration_ms } = trace;
  return [clean(trace_id), clean(stateOf(trace)), String(http_status ?? "-"), milliseconds(duration_ms)];
}

function tenantOf({ tenant }: TraceRow): string {
  return tenant === undefined ? "" : `  tenant ${clean(tenant)}`;
}

/** Cells under each other; the last column is as long as it is. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_head, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0))
  );
  return rows.map((row) =>
    row.map((cell, column) => column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)).join("  ")
  );
}
