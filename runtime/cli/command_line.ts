/**
 * Command lines of the commands that ask a gateway.
 *
 * Owns the options that all of them have, and the root span `cli <command>`. Invariant: a command ends with an exit
 * code and its span, whatever happens in it; a failure is one line on stderr, with the trace id where there is one.
 */
import { NULL_TRACER, startTelemetry, telemetryConfigFromEnv } from "../../telemetry/mod.ts";
import type { Environment, SpanIds, Tracer } from "../../telemetry/mod.ts";
import { VERSION } from "../version.ts";
import { DEFAULT_URL, GatewayClient, UsageError } from "./gateway_client.ts";
import { type OptionTable, type ParsedOptions, parseOptions } from "./options.ts";

/** Exit codes, as in the reference. */
export const EXIT = { done: 0, failed: 1, usage: 2 } as const;

/** What a command has around it; the real program, or a test. */
export interface CommandPlace {
  readonly env: Environment;
  readonly isTerminal: boolean;
  /** Of the terminal, if it is one. */
  readonly columns: number | undefined;
  readonly nowMs: () => number;
  readonly sleep: (ms: number) => Promise<void>;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}

/** A command that asks a gateway. */
export interface Command {
  readonly name: string;
  readonly help: string;
  readonly options: OptionTable;
  /** What it is called with beside options: the names of the words. */
  readonly words: readonly string[];
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

Exit codes: ${EXIT.done} done; ${EXIT.failed} the gateway has no such thing, cannot be reached or fails; ${EXIT.usage} what was typed is wrong.
On a terminal lines are folded to its width, and in colour unless NO_COLOR is set; in a pipe they are whole. With an
exporter configured (OTEL_EXPORTER_OTLP_ENDPOINT) the call itself is traced, as service tensor-wasm-cli.
`;

/** Runs a command; resolves with the exit code. */
export async function runCommand(
  command: Command,
  args: readonly string[],
  place: CommandPlace,
): Promise<number> {
  const refuse = (message: string): number => {
    place.err(`error: ${message}; see ${command.name} --help\n`);
    return EXIT.usage;
  };
  let parsed: ParsedOptions;
  try {
    parsed = parseOptions(args, { ...SHARED_OPTIONS, ...command.options });
  } catch (error) {
    return refuse(messageOf(error));
  }
  if (parsed.values["help"] === true) {
    place.out(command.help);
    return EXIT.done;
  }
  const missing = command.words[parsed.words.length];
  if (missing !== undefined) return refuse(`${command.name} takes a ${missing}, got none`);
  const extra = parsed.words[command.words.length];
  if (extra !== undefined) return refuse(`Unexpected argument ${JSON.stringify(extra)}`);
  return await underSpan(command.name, place, async (tracer, ids) => {
    const { env } = place;
    const url = textOf(parsed.values["url"]) ?? textOf(env["TENSOR_WASM_URL"]) ?? DEFAULT_URL;
    const tenant = textOf(parsed.values["tenant"]) ?? textOf(env["TENSOR_WASM_TENANT"]);
    const client = new GatewayClient({ url, tenant, tracer, ids });
    const hasColour = place.isTerminal && (env["NO_COLOR"] ?? "") === "" && parsed.values["json"] !== true;
    return await command.run({ place, client, hasColour, ...parsed });
  });
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
