/**
 * Command lines of the commands that ask a gateway.
 *
 * Owns the options that all of them have, and the root span `cli <command>`. Invariant: a command ends with an exit
 * code and its span, whatever happens in it; a failure is one line on stderr, with the trace id where there is one.
 */
import { parseArgs, type ParseArgsConfig } from "node:util";
import { NULL_TRACER, startTelemetry, telemetryConfigFromEnv } from "../../telemetry/mod.ts";
import type { Environment, SpanIds, Tracer } from "../../telemetry/mod.ts";
import { VERSION } from "../version.ts";
import { DEFAULT_URL, GatewayClient, UsageError } from "./gateway_client.ts";

/** Exit codes, as in the reference. */
export const EXIT = { done: 0, failed: 1, usage: 2 } as const;

/** What a command has around it; the real program, or a test. */
export interface CommandPlace {
  readonly env: Environment;
  readonly isTerminal: boolean;
  readonly nowMs: () => number;
  readonly sleep: (ms: number) => Promise<void>;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}

/** A command that asks a gateway. */
export interface Command {
  readonly name: string;
  readonly help: string;
  readonly options: NonNullable<ParseArgsConfig["options"]>;
  /** How many words it takes beside options. */
  readonly wordCount: number;
  run(call: CommandCall): Promise<number>;
}

/** One call of a command. */
export interface CommandCall {
  readonly place: CommandPlace;
  readonly client: GatewayClient;
  readonly words: readonly string[];
  readonly values: Readonly<Record<string, string | boolean | undefined>>;
  readonly hasColour: boolean;
}

const SHARED_OPTIONS = {
  url: { type: "string" },
  tenant: { type: "string" },
  json: { type: "boolean" },
  help: { type: "boolean", short: "h" },
} as const;

/** What all commands' help ends with. */
export const SHARED_HELP = `  --url <address>      the gateway, TENSOR_WASM_URL, default ${DEFAULT_URL}
  --tenant <number>    only what belongs to this tenant; TENSOR_WASM_TENANT
  --json               the gateway's answer as it is
  --help

Colours on a terminal unless NO_COLOR is set. With an exporter configured (OTEL_EXPORTER_OTLP_ENDPOINT) the call
itself is traced, as service tensor-wasm-cli.
`;

/** Runs a command; resolves with the exit code. */
export async function runCommand(
  command: Command,
  args: readonly string[],
  place: CommandPlace,
): Promise<number> {
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(command, args);
  } catch (error) {
    place.err(`error: ${messageOf(error)}; see ${command.name} --help\n`);
    return EXIT.usage;
  }
  if (parsed.values["help"] === true) {
    place.out(command.help);
    return EXIT.done;
  }
  if (parsed.words.length !== command.wordCount) {
    place.err(
      `error: ${command.name} takes ${command.wordCount} argument, got ${parsed.words.length}; ` +
        `see ${command.name} --help\n`,
    );
    return EXIT.usage;
  }
  return await underSpan(command.name, place, async (tracer, ids) => {
    const { env } = place;
    const url = textOf(parsed.values["url"]) ?? textOf(env["TENSOR_WASM_URL"]) ?? DEFAULT_URL;
    const tenant = textOf(parsed.values["tenant"]) ?? textOf(env["TENSOR_WASM_TENANT"]);
    const client = new GatewayClient({ url, tenant, tracer, ids });
    const hasColour = place.isTerminal && (env["NO_COLOR"] ?? "") === "" && parsed.values["json"] !== true;
    return await command.run({ place, client, hasColour, ...parsed });
  });
}

function parse(
  command: Command,
  args: readonly string[],
): Pick<CommandCall, "words" | "values"> {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: { ...SHARED_OPTIONS, ...command.options },
    strict: true,
    allowPositionals: true,
  });
  return { words: positionals, values: values as CommandCall["values"] };
}

/** The span is there only where somebody receives it. */
async function underSpan(
  name: string,
  place: CommandPlace,
  work: (tracer: Tracer, ids: SpanIds | undefined) => Promise<number>,
): Promise<number> {
  const guarded = async (tracer: Tracer, ids: SpanIds | undefined): Promise<number> => {
    try {
      return await work(tracer, ids);
    } catch (error) {
      const own = ids === undefined || messageOf(error).includes("(trace ") ? "" : ` (trace ${ids.traceId})`;
      place.err(`error: ${messageOf(error)}${own}\n`);
      return error instanceof UsageError ? EXIT.usage : EXIT.failed;
    }
  };
  let config: ReturnType<typeof telemetryConfigFromEnv>;
  try {
    config = telemetryConfigFromEnv(place.env, { serviceName: "tensor-wasm-cli", serviceVersion: VERSION });
  } catch (error) {
    place.err(`error: ${messageOf(error)}\n`);
    return EXIT.usage;
  }
  if (!config.tracing.enabled || config.tracing.exporter === "none") {
    return await guarded(NULL_TRACER, undefined);
  }
  const decoder = new TextDecoder();
  await using telemetry = startTelemetry(
    { ...config, traces: { ...config.traces, bytesMax: 0 }, log: { ...config.log, filter: "off" } },
    // What it prints must not get among the answer.
    { write: (bytes) => place.err(decoder.decode(bytes, { stream: true })) },
  );
  using span = telemetry.tracer.startSpan("cli ", { command: name }, { parent: null });
  const code = await guarded(telemetry.tracer, span.ids);
  span.setAttribute("exit_code", code);
  if (code !== EXIT.done) span.fail(`exit ${code}`);
  return code;
}

/** A value that was given and is not empty. */
export function textOf(value: string | boolean | undefined): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
