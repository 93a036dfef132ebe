/**
 * Command line: from argv to a command and an exit code.
 *
 * Owns the list of commands, flag parsing and help. Commands live in files of their own. Invariant: it never
 * exits the process itself; main.ts does.
 */
import { parseArgs } from "node:util";
import { ConfigError, makeConfig } from "../config.ts";
import { SETTINGS } from "../settings.ts";
import { VERSION } from "../version.ts";
import { type CommandPlace, runCommand } from "./command_line.ts";
import { writeStderrLine, writeStdout } from "./output.ts";
import { serve } from "./serve.ts";
import { traceCommand, tracesCommand } from "./trace_command.ts";

/** Exit codes, as in the reference: generic failure, local validation failed. */
const EXIT_FAILURE = 1;
const EXIT_USAGE = 2;

/** What `--debug` is short for: lines with ids, with or without an exporter. */
const DEBUG_VARIABLES = { TENSOR_WASM_LOG: "debug", TENSOR_WASM_TRACING: "on", OTEL_SDK_DISABLED: "" };

/** Runs a command line; resolves with the exit code. */
export async function runCli(argv: readonly string[], exit: (code: number) => never): Promise<number> {
  const [command, ...rest] = argv;
  if (command === undefined || command === "help" || command === "--help" || command === "-h") {
    return say(help());
  }
  if (command === "--version" || command === "version") return say(`tensor-wasm ${VERSION}\n`);
  const asking = [traceCommand, tracesCommand].find(({ name }) => name === command);
  if (asking !== undefined) return await runCommand(asking, rest, realPlace());
  if (command !== "serve") return usage(`Unknown command ${JSON.stringify(command)}; see --help`);
  if (rest.includes("--help") || rest.includes("-h")) return say(help());
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
        ...(file === undefined ? {} : { file }),
      }),
      exit,
    );
  } catch (error) {
    if (error instanceof ConfigError) return usage(error.message);
    writeStderrLine(`error: ${error instanceof Error ? error.message : String(error)}`);
    return EXIT_FAILURE;
  }
}

function realPlace(): CommandPlace {
  return {
    env: Deno.env.toObject(),
    isTerminal: Deno.stdout.isTerminal(),
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
  let values: Record<string, string | boolean | undefined>;
  try {
    ({ values } = parseArgs({ args: [...args], options, strict: true, allowPositionals: false }));
  } catch (error) {
    throw new ConfigError(error instanceof Error ? error.message : String(error), { cause: error });
  }
  const { config, debug, ...flags } = values;
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
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConfigError(`Cannot read configuration file ${path}: ${reason}`, { cause: error });
  }
  throw new ConfigError(`Configuration file ${path} is not a JSON object`);
}

function help(): string {
  const rows = SETTINGS.map((setting) => {
    const left = `  --${setting.flag}${setting.kind === "flag" ? "" : ` <${setting.kind}>`}`;
    return `${left.padEnd(36)} ${setting.meaning}\n${
      "".padEnd(37)
    }${setting.env}, default ${setting.fallback}`;
  });
  return `tensor-wasm ${VERSION}: runs WebAssembly functions of many tenants and traces every call

usage: deno task serve [options]          run the gateway
       deno task trace <trace id>         print a trace with its log lines; --help for options
       deno task traces                   list traces; --help for options

options of serve:
${rows.join("\n")}
  --config <file>                      JSON file of settings by their camelCase names; TENSOR_WASM_CONFIG
  --debug                              tracing on, log level debug
  --help, --version

Logs, traces and their export are set by TENSOR_WASM_LOG, TENSOR_WASM_TRACE_EXPORTER and the OTEL_* variables:
docs/observability.md. A flag wins over a variable, a variable over the file.
`;
}

function say(text: string): number {
  writeStdout(new TextEncoder().encode(text));
  return 0;
}

function usage(message: string): number {
  writeStderrLine(`error: ${message}`);
  return EXIT_USAGE;
}
