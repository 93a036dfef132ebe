/**
 * Guest lines: a guest's stdout, stderr and log calls as log lines of the request.
 *
 * Owns the fields and the mapping of levels. Invariant: every line carries the ids of its call's trace, the
 * tenant and the function, whatever the guest wrote.
 */
import type { LogLevel, SpanIds, Telemetry } from "../../telemetry/mod.ts";
import type { Invocation } from "../model/invocation.ts";
import type { CellLogLine } from "../wire/messages.ts";

const LEVELS: Readonly<Record<string, LogLevel>> = {
  trace: "trace",
  debug: "debug",
  info: "info",
  warn: "warn",
  error: "error",
};

/** Logs one line of a guest under the span of its instance. */
export function logGuestLine(
  telemetry: Telemetry,
  invocation: Invocation,
  ids: SpanIds | undefined,
  line: CellLogLine,
): void {
  const level = LEVELS[line.level] ?? "info";
  telemetry.log("guest")[level](`guest.${line.source}`, {
    tenant: invocation.tenant,
    function_id: invocation.function.id,
    line: line.text,
  }, ids);
}
