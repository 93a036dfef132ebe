/**
 * A real gateway in a child process, as users start it, with its log lines at hand.
 *
 * Everything it leaves behind (process, data folder, sockets of cells that were starting when it was killed) is gone
 * when it is disposed.
 */
import { readGuest } from "./guests.ts";

/** A log line, parsed. */
export type LogLine = Readonly<Record<string, unknown>> & {
  readonly message: string;
  readonly trace_id?: string;
};

/** How a gateway is started. */
export interface GatewayOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly flags?: readonly string[];
  /** Kept after disposal when given; made anew and removed otherwise. */
  readonly dataFolder?: string;
  /** Put before the command; has to become it. */
  readonly launcher?: readonly string[];
}

/** A deployed function. */
export interface Deployed {
  readonly id: string;
  readonly name: string;
  readonly version: number;
  readonly digest: string;
}

const ROOT = new URL("../../", import.meta.url).pathname;
const LINE_WAIT_MS_MAX = 60_000;
/** A cell that a loaded machine does not let run for seconds is not one that hangs. */
const PING_TIMEOUT_MS = 30_000;

/** A running gateway. */
export class TestGateway implements AsyncDisposable {
  readonly url: string;
  readonly dataFolder: string;
  readonly #temporaryFolder: string;
  readonly #child: Deno.ChildProcess;
  readonly #output: GatewayOutput;
  readonly #ownsFolder: boolean;

  static async start(options: GatewayOptions = {}): Promise<TestGateway> {
    const dataFolder = options.dataFolder ?? await Deno.makeTempDir({ prefix: "tensor-wasm-test-" });
    // What a killed gateway leaves, only the next one of the same data folder finds, and most have no next one.
    const temporaryFolder = await Deno.makeTempDir({ prefix: "tensor-wasm-test-" });
    const [program = "", ...before] = [...options.launcher ?? [], Deno.execPath()];
    const child = new Deno.Command(program, {
      args: [
        ...before,
        ...[
          "run",
          "--quiet",
          "--no-check",
          "--allow-net",
          "--allow-read",
          "--allow-write",
          "--allow-env",
          "--allow-run",
        ],
        ...["main.ts", "serve", "--addr", "127.0.0.1:0", "--data", dataFolder],
        ...["--ping-timeout-ms", String(PING_TIMEOUT_MS), ...options.flags ?? []],
      ],
      cwd: ROOT,
      env: { TMPDIR: temporaryFolder, ...options.env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const output = new GatewayOutput(child);
    const first = await output.firstLine();
    const url = /^listening on (http:\/\/\S+)$/.exec(first)?.[1];
    if (url === undefined) {
      await child.status;
      await Deno.remove(temporaryFolder, { recursive: true });
      if (options.dataFolder === undefined) await Deno.remove(dataFolder, { recursive: true });
      throw new Error(`Gateway did not start: ${first}${await output.stderr}`);
    }
    return new TestGateway(url, dataFolder, temporaryFolder, child, output, options.dataFolder === undefined);
  }
  /** Whether a test told it to end, or waits for its end. */
  #mayEnd = false;

  private constructor(
    url: string,
    dataFolder: string,
    temporaryFolder: string,
    child: Deno.ChildProcess,
    output: GatewayOutput,
    ownsFolder: boolean,
  ) {
    this.url = url;
    this.dataFolder = dataFolder;
    this.#temporaryFolder = temporaryFolder;
    this.#child = child;
    this.#output = output;
    this.#ownsFolder = ownsFolder;
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Resolves when the process has ended. */
  get status(): Promise<Deno.CommandStatus> {
    this.#mayEnd = true;
    return this.#child.status;
  }

  /** The log lines so far. */
  get lines(): readonly LogLine[] {
    return this.#output.lines;
  }

  /** Lines of stdout that were not JSON, the first one left out. There are to be none. */
  get strayLines(): readonly string[] {
    return this.#output.strayLines;
  }

  /** What it wrote on stderr, once it has ended. */
  get stderr(): Promise<string> {
    return this.#output.stderr;
  }

  /** The first log line, past or to come, that satisfies `matches`. */
  async line(matches: (line: LogLine) => boolean): Promise<LogLine> {
    return await this.#output.line(matches);
  }

  signal(signal: Deno.Signal): void {
    this.#mayEnd = true;
    this.#child.kill(signal);
  }

  /** Deploys a guest of tests/guests under its own name, or other bytes under `name`. */
  async deploy(
    name: string,
    bytes?: Uint8Array<ArrayBuffer>,
    headers: Record<string, string> = {},
  ): Promise<Deployed> {
    const response = await fetch(`${this.url}/functions?name=${encodeURIComponent(name)}`, {
      method: "POST",
      headers: { "content-type": "application/wasm", ...headers },
      body: bytes ?? await readGuest(name),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`Deploy of ${name} answered ${response.status}: ${text}`);
    return JSON.parse(text);
  }

  /** Invokes with a JSON body. */
  async invoke(ref: string, body: unknown = {}, headers: Record<string, string> = {}): Promise<Response> {
    return await fetch(`${this.url}/functions/${encodeURIComponent(ref)}/invoke`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(body),
    });
  }

  /** Throws if the gateway ended although no test made it, or asked for that. */
  async [Symbol.asyncDispose](): Promise<void> {
    let endedByItself = false;
    try {
      this.#child.kill("SIGTERM");
    } catch {
      endedByItself = !this.#mayEnd;
    }
    // Again it is disposed of by somebody who need not know of the first time.
    this.#mayEnd = true;
    await this.#child.status;
    await this.#output.ended;
    await Deno.remove(this.#temporaryFolder, { recursive: true }).catch(() => {});
    if (this.#ownsFolder) await Deno.remove(this.dataFolder, { recursive: true }).catch(() => {});
    if (endedByItself) {
      throw new Error(`The gateway has ended by itself: ${JSON.stringify(this.lines.at(-1))}`);
    }
  }
}

/** Reads a gateway's stdout line by line, and its stderr whole. */
class GatewayOutput {
  readonly lines: LogLine[] = [];
  readonly strayLines: string[] = [];
  readonly ended: Promise<void>;
  readonly stderr: Promise<string>;
  readonly #first = Promise.withResolvers<string>();
  readonly #watchers = new Set<(line: LogLine) => void>();

  constructor(child: Deno.ChildProcess) {
    this.ended = this.#read(child.stdout);
    this.stderr = new Response(child.stderr).text();
  }

  firstLine(): Promise<string> {
    return this.#first.promise;
  }

  line(matches: (line: LogLine) => boolean): Promise<LogLine> {
    const past = this.lines.find(matches);
    if (past !== undefined) return Promise.resolve(past);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#watchers.delete(watch);
        reject(new Error(`No such log line within ${LINE_WAIT_MS_MAX} ms`));
      }, LINE_WAIT_MS_MAX);
      const watch = (line: LogLine): void => {
        if (!matches(line)) return;
        clearTimeout(timer);
        this.#watchers.delete(watch);
        resolve(line);
      };
      this.#watchers.add(watch);
    });
  }

  async #read(stdout: ReadableStream<Uint8Array>): Promise<void> {
    let isFirst = true;
    let rest = "";
    for await (const text of stdout.pipeThrough(new TextDecoderStream())) {
      const pieces = (rest + text).split("\n");
      rest = pieces.pop() ?? "";
      for (const piece of pieces) {
        if (isFirst) this.#first.resolve(piece);
        else this.#take(piece);
        isFirst = false;
      }
    }
    if (rest !== "") this.strayLines.push(rest);
    this.#first.resolve(rest);
  }

  #take(text: string): void {
    let line: LogLine;
    try {
      line = JSON.parse(text);
    } catch {
      this.strayLines.push(text);
      return;
    }
    this.lines.push(line);
    for (const watch of this.#watchers) watch(line);
  }
}
