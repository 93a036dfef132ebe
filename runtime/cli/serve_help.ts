/**
 * Help: what the program prints of itself and of the options of `serve`.
 *
 * Owns the layout; the settings are those of settings.ts. The other commands have help of their own. Invariant: every
 * setting is there with its variable and default, in lines of COLUMNS at most.
 */
import type { Setting } from "../settings.ts";
import { SETTINGS } from "../settings.ts";
import { VERSION } from "../version.ts";
import { fold } from "./view_text.ts";

const COLUMNS = 100;
/** Where meanings begin. */
const INDENT = 38;

/** The whole help. */
export function serveHelp(): string {
  return `tensor-wasm ${VERSION}: runs WebAssembly functions of many tenants and traces every call

usage: deno task serve [options]          run the gateway
       deno task trace <trace id>         print a trace with its log lines; --help for options
       deno task traces                   list traces; --help for options

options of serve:
${SETTINGS.map(settingText).join("")}${
    rowText("--config <file>", ["JSON file of settings by their camelCase names", "TENSOR_WASM_CONFIG"])
  }${rowText("--debug", ["tracing on, log level debug"])}  --help, --version

Logs, traces and their export are set by TENSOR_WASM_LOG, TENSOR_WASM_TRACE_EXPORTER and the OTEL_* variables:
docs/observability.md. A flag wins over a variable, a variable over the file; docs/configuration.md has the ranges.
Exit codes: 0 drained; 1 it could not start or had to end; 2 what was typed, set or in the file is wrong;
130 a second signal ended it at once.
`;
}

function settingText(setting: Setting): string {
  const { flag, env, kind, fallback, meaning } = setting;
  const value = kind === "flag" ? "" : ` <${setting.choices?.join("|") ?? kind}>`;
  return rowText(`--${flag}${value}`, [meaning, `${env}, default ${fallback === "" ? "none" : fallback}`]);
}

/** An option and what is said of it, each beginning a line; beside the option where that leaves room for it. */
function rowText(option: string, texts: readonly string[]): string {
  const indent = " ".repeat(INDENT);
  const lines = texts.flatMap((text) => fold(text.split(" "), COLUMNS - INDENT)).map((line) => indent + line);
  const left = `  ${option}`;
  const [first = "", ...rest] = lines;
  const head = left.length < INDENT ? [left + first.slice(left.length)] : [left, first];
  return [...head, ...rest].map((line) => `${line}\n`).join("");
}
