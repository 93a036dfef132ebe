/**
 * A gateway for long runs: a real child process under the engine flags of `deno task serve`, its log lines handed
 * on as they come and none kept.
 *
 * Owns the process, its folder (data, temporary files, the loop monitor's file) and what is left when it has
 * ended. Invariant: the folder is gone once this is disposed of.
 */
import config from "../../deno.json" with { type: "json" };
import type { LogLine } from "../support/gateway.ts";
import type { LoopDelays } from "./loop_monitor.ts";
import { readLines } from "./probe.ts";

/** How a gateway is started. */
export interface ChaosGatewayOptions {
  readonly flags: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly onLine: (line: LogLine) => void;
}

/** How a gateway ended. */
export interface GatewayEnd {
  readonly code: number;
  readonly stderr: string;
  /** Lines of stdout that were not JSON, the first one left out. */
  readonly strayLines: readonly string[];
  /** What is left in the folder for temporary files. */
  readonly temporaryFiles: readonly string[];
}

const ROOT = new URL("../../", import.meta.url).pathname;

/** A running gateway. */
export class ChaosGateway implements AsyncDisposable {
  readonly url: string;
  readonly #child: Deno.ChildProcess;
  readonly #folder: string;
  readonly #stdout: Promise<void>;
  readonly #stderr: Promise<string>;
  readonly #strayLines: string[];

  static async start(options: ChaosGatewayOptions): Promise<ChaosGateway> {
    const folder = await Deno.makeTempDir({ prefix: "tensor-wasm-chaos-" });
    await Deno.mkdir(`${folder}/tmp`);
    const child = new Deno.Command(Deno.execPath(), {
      args: gatewayArguments(folder, options.flags),
      cwd: ROOT,
      env: { ...options.env, TMPDIR: `${folder}/tmp`, LOOP_DELAY_FILE: `${folder}/loop_delay` },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const first = Promise.withResolvers<string>();
    const strayLines: string[] = [];
    let isFirst = true;
    const stdout = readLines(child.stdout, (text) => {
      if (isFirst) first.resolve(text);
      else takeLine(text, options.onLine, strayLines);
      isFirst = false;
    }).finally(() => first.resolve(""));
    const stderr = new Response(child.stderr).text();
    const url = /^listening on (http:\/\/\S+)$/.exec(await first.promise)?.[1];
    if (url === undefined) throw new Error(`Gateway did not start: ${await stderr}`);
    return new ChaosGateway(url, child, folder, stdout, stderr, strayLines);
  }

  private constructor(
    url: string,
    child: Deno.ChildProcess,
    folder: string,
    stdout: Promise<void>,
    stderr: Promise<string>,
    strayLines: string[],
  ) {
    this.url = url;
    this.#child = child;
    this.#folder = folder;
    this.#stdout = stdout;
    this.#stderr = stderr;
    this.#strayLines = strayLines;
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Delays of its event loop so far, in milliseconds. */
  async loopDelays(): Promise<LoopDelays> {
    const text = await Deno.readTextFile(`${this.#folder}/loop_delay`).catch(() => "");
    // The last line may be half written.
    const lines = text.split("\n").slice(0, -1).map((line) => JSON.parse(line) as LoopDelays);
    return { all: lines.flatMap(({ all }) => all), own: lines.flatMap(({ own }) => own) };
  }

  /** Ends it as an operator would. */
  async stop(): Promise<GatewayEnd> {
    this.#child.kill("SIGTERM");
    const { code } = await this.#child.status;
    await this.#stdout;
    const temporaryFiles = [...Deno.readDirSync(`${this.#folder}/tmp`)].map((entry) => entry.name);
    return { code, stderr: await this.#stderr, strayLines: this.#strayLines, temporaryFiles };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended already.
    }
    await this.#child.status;
    await this.#stdout;
    await Deno.remove(this.#folder, { recursive: true });
  }
}

function gatewayArguments(folder: string, flags: readonly string[]): string[] {
  const v8Flags = config.tasks.serve.command.split(" ").filter((word) => word.startsWith("--v8-flags"));
  return [
    ...["run", "--quiet", "--no-check", ...v8Flags],
    `--preload=${new URL("loop_monitor.ts", import.meta.url).pathname}`,
    ...["--allow-net", "--allow-read", "--allow-write", "--allow-env", "--allow-run"],
    ...["main.ts", "serve", "--addr", "127.0.0.1:0", "--data", `${folder}/data`, ...flags],
  ];
}

function takeLine(text: string, onLine: (line: LogLine) => void, strayLines: string[]): void {
  let line: LogLine;
  try {
    line = JSON.parse(text);
  } catch {
    strayLines.push(text);
    return;
  }
  onLine(line);
}
