/**
 * Command line: from argv to a command and an exit code.
 *
 * Owns the list of commands, and where the settings of `serve` come from. Commands, options and help live in files
 * of their own. Invariant: it never exits the process itself; main.ts does.
 */
import { ConfigError, makeConfig } from "../config.ts";
import { SETTINGS } from "../settings.ts";
import { VERSION } from "../version.ts";
import { type CommandPlace, EXIT, runCommand } from "./command_line.ts";
import { type ParsedOptions, parseOptions } from "./options.ts";
import { writeStderrLine, writeStdout } from "./output.ts";
import { serve } from "./serve.ts";
import { serveHelp } from "./serve_help.ts";
import { traceCommand, tracesCommand } from "./trace_command.ts";

/** What `--debug` is short for: lines with ids, with or without an exporter. */
const DEBUG_VARIABLES = { TENSOR_WASM_LOG: "debug", TENSOR_WASM_TRACING: "on", OTEL_SDK_DISABLED: "" };

/** Runs a command line; resolves with the exit code. */
export async function runCli(argv: readonly string[], exit: (code: number) => never): Promise<number> {
  const [command, ...rest] = argv;
  if (command === undefined || command === "help" || command === "--help" || command === "-h") {
    return say(serveHelp());
  }
  if (command === "--version" || command === "version") return say(`tensor-wasm ${VERSION}\n`);
  const asking = [traceCommand, tracesCommand].find(({ name }) => name === command);
  if (asking !== undefined) return await runCommand(asking, rest, realPlace());
  if (command !== "serve") return usage(`Unknown command ${JSON.stringify(command)}; see --help`);
  if (rest.includes("--help") || rest.includes("-h")) return say(serveHelp());
  try {
    const { configFile, debug, flags } = parseFlags(rest);
    const file = await readConfigFile(configFile);
    const env = {
      ...Deno.env.toObject(),
      ...(debug ? DEBUG_VARIABLES : {}),
    };
    return await serve(
      makeConfig({
        env,
        flags,
        isTerminal: Deno.stdout.isTerminal(),
        ...(file === undefined ? {} : { file, filePath: configFile ?? "" }),
      }),
      exit,
    );
  } catch (error) {
    if (error instanceof ConfigError) return usage(error.message);
    writeStderrLine(`error: ${error instanceof Error ? error.message : String(error)}`);
    return EXIT.failed;
  }
}

function realPlace(): CommandPlace {
  const isTerminal = Deno.stdout.isTerminal();
  return {
    env: Deno.env.toObject(),
    isTerminal,
    // A terminal that nobody has told its size says 0.
    columns: isTerminal ? Deno.consoleSize().columns || undefined : undefined,
    nowMs: () => performance.now(),
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    out: (text) => writeStdout(new TextEncoder().encode(text)),
    err: (text) => writeStderrLine(text.replace(/\n$/, "")),
  };
}

interface ParsedFlags {
  readonly configFile: string | undefined;
  readonly debug: boolean;
  readonly flags: Record<string, string | boolean | undefined>;
}

function parseFlags(args: readonly string[]): ParsedFlags {
  const options = Object.fromEntries([
    ...SETTINGS.map((setting) =>
      [setting.flag, { type: setting.kind === "flag" ? "boolean" : "string" }] as const
    ),
    ["config", { type: "string" }] as const,
    ["debug", { type: "boolean" }] as const,
  ]);
  let parsed: ParsedOptions;
  try {
    parsed = parseOptions(args, options);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConfigError(`${reason}; see serve --help`, { cause: error });
  }
  const [word] = parsed.words;
  if (word !== undefined) {
    throw new ConfigError(
      `Unexpected argument ${JSON.stringify(word)}: serve takes options only; see serve --help`,
    );
  }
  const { config, debug, ...flags } = parsed.values;
  return {
    configFile: typeof config === "string" ? config : Deno.env.get("TENSOR_WASM_CONFIG"),
    debug: debug === true,
    flags,
  };
}

async function readConfigFile(path: string | undefined): Promise<Record<string, unknown> | undefined> {
  if (path === undefined || path === "") return undefined;
  try {
    const value: unknown = JSON.parse(await Deno.readTextFile(path));
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      return value as Record<string, unknown>;
    }
  } catch (error) {
    const reason = error instanceof Deno.errors.NotFound
      ? "there is no such file"
      : error instanceof Error
      ? error.message
      : String(error);
    throw new ConfigError(`Cannot read configuration file ${path}: ${reason}`, { cause: error });
  }
  throw new ConfigError(`Configuration file ${path} is not a JSON object`);
}

function say(text: string): number {
  writeStdout(new TextEncoder().encode(text));
  return EXIT.done;
}

function usage(message: string): number {
  writeStderrLine(`error: ${message}`);
  return EXIT.usage;
}
