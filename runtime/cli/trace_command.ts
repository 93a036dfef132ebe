/**
 * `trace` and `traces`: what the gateway knows of a trace, and which traces it has.
 *
 * Owns their options and the following of a trace that runs. Invariant: both end: following asks a bounded number
 * of times.
 */
import { type Command, type CommandCall, EXIT, SHARED_HELP, textOf } from "./command_line.ts";
import { CommandError, UsageError } from "./gateway_client.ts";
import { toTraceDetail, toTraceList, type TraceDetail, type TraceRow } from "./trace_body.ts";
import { viewTraces } from "./trace_table.ts";
import { ALIKE_MAX } from "./trace_tree.ts";
import { viewLogLine, viewTrace } from "./trace_view.ts";
import type { ViewOptions } from "./view_text.ts";

const POLL_MS = 250;
const FOLLOW_SECONDS_DEFAULT = 600;
/** A trace that is followed may not have begun. */
const UNKNOWN_MS_MAX = 5000;
const NOT_FOUND = 404;
const LIST_LIMIT_DEFAULT = 20;
const PAGES_MAX = 50;

/** `trace <id>`. */
export const traceCommand: Command = {
  name: "trace",
  options: {
    follow: { type: "boolean", short: "f" },
    timeout: { type: "string" },
    all: { type: "boolean" },
  },
  words: ["trace id"],
  help: `usage: tensor-wasm trace <trace id> [options]

Prints a trace: the tree of its spans with their times, and its log lines where they were written. The id is the
x-trace-id of an answer, or the trace_id of an error or a log line.

  -f, --follow         wait until it is complete; its log lines are printed as they come, then the tree
  --timeout <seconds>  how long to follow, default ${FOLLOW_SECONDS_DEFAULT}
  --all                every span, also where more than ${ALIKE_MAX} are alike
${SHARED_HELP}`,
  run: runTrace,
};

/** `traces`. */
export const tracesCommand: Command = {
  name: "traces",
  options: {
    function: { type: "string" },
    status: { type: "string" },
    "min-ms": { type: "string" },
    limit: { type: "string" },
    cursor: { type: "string" },
  },
  words: [],
  help: `usage: tensor-wasm traces [options]

Lists traces, newest first.

  --function <id or name>
  --status <status>    ok, error (all that is not ok), timeout, kill, running, or an HTTP status: 504, 5xx
  --min-ms <number>    those that took so long at least
  --limit <number>     how many, default ${LIST_LIMIT_DEFAULT}
  --cursor <text>      go on where a list ended
${SHARED_HELP}`,
  run: runTraces,
};

async function runTrace(call: CommandCall): Promise<number> {
  const { place, values } = call;
  const [given = ""] = call.words;
  const id = traceIdOf(given);
  const seconds = numberOf("timeout", values["timeout"]) ?? FOLLOW_SECONDS_DEFAULT;
  const trace = values["follow"] === true ? await follow(call, id, seconds) : await readTrace(call, id);
  place.out(
    values["json"] === true
      ? `${JSON.stringify(trace)}\n`
      : viewTrace(trace, { ...viewOptions(call), isWhole: values["all"] === true }),
  );
  if (values["follow"] === true && !trace.complete) {
    throw new CommandError(`Trace ${id} still runs; gave up waiting`);
  }
  return EXIT.done;
}

async function readTrace({ client }: CommandCall, id: string): Promise<TraceDetail> {
  return toTraceDetail(await client.get(`/traces/${id}`));
}

/** A terminal has its width; what reads a pipe has whole lines. */
function viewOptions({ place: { columns }, hasColour }: CommandCall): ViewOptions {
  return { hasColour, ...(columns === undefined ? {} : { columns }) };
}

/** The id itself, or a traceparent, which has it in the middle. */
function traceIdOf(text: string): string {
  const id = /^[0-9a-f]{2}-([0-9a-f]{32})-/.exec(text)?.[1] ?? text.toLowerCase();
  if (!/^[0-9a-f]{32}$/.test(id)) {
    throw new UsageError(`${JSON.stringify(text)} is no trace id: expected 32 hex digits`);
  }
  return id;
}

async function follow(call: CommandCall, id: string, seconds: number): Promise<TraceDetail> {
  const { place, values, hasColour } = call;
  const startMs = place.nowMs();
  let printedCount = 0;
  for (;;) {
    const waitedMs = place.nowMs() - startMs;
    const trace = await readTrace(call, id).catch((error: unknown) => {
      const mayCome = error instanceof CommandError && error.status === NOT_FOUND &&
        waitedMs < UNKNOWN_MS_MAX;
      if (!mayCome) throw error;
    });
    if (trace !== undefined) {
      if (trace.complete || waitedMs >= seconds * 1000) return trace;
      if (values["json"] !== true) {
        for (const line of trace.logs.slice(printedCount)) place.out(viewLogLine(line, { hasColour }));
        printedCount = Math.max(printedCount, trace.logs.length);
      }
    }
    await place.sleep(POLL_MS);
  }
}

async function runTraces(call: CommandCall): Promise<number> {
  const { client, place, values } = call;
  const limit = numberOf("limit", values["limit"]) ?? LIST_LIMIT_DEFAULT;
  const minMs = numberOf("min-ms", values["min-ms"]);
  const traces: TraceRow[] = [];
  let cursor = textOf(values["cursor"]);
  for (let pages = 0; pages < PAGES_MAX; pages++) {
    const page = toTraceList(
      await client.get("/traces", {
        function: textOf(values["function"]),
        status: textOf(values["status"]),
        min_ms: minMs === undefined ? undefined : String(minMs),
        limit: String(limit - traces.length),
        cursor,
      }),
    );
    traces.push(...page.traces);
    cursor = page.next_cursor;
    if (cursor === undefined || traces.length >= limit) break;
  }
  if (values["json"] === true) {
    place.out(`${JSON.stringify({ traces, ...(cursor === undefined ? {} : { next_cursor: cursor }) })}\n`);
    return EXIT.done;
  }
  place.out(traces.length === 0 ? "No such traces are kept.\n" : viewTraces(traces, viewOptions(call)));
  if (cursor !== undefined) place.out(`more: --cursor ${cursor}\n`);
  return EXIT.done;
}

function numberOf(name: string, value: string | boolean | undefined): number | undefined {
  const text = textOf(value);
  if (text === undefined) return undefined;
  if (!/^[0-9]{1,9}(\.[0-9]{1,3})?$/.test(text)) {
    throw new UsageError(`--${name} is ${JSON.stringify(text)}, expected a number`);
  }
  return Number(text);
}
