/**
 * Prometheus: its own server and its promtool, as judges of what the project hands to one.
 *
 * Owns finding the two on the PATH (Debian's package `prometheus` has both; .ci/run fetches it), running promtool
 * and one server that scrapes a gateway. Invariant: where they are missing, that is said once and in words, and a
 * test that needs them is skipped, not passed; nothing is left when a server is disposed.
 */

const decoder = new TextDecoder();

/** What a test that needs promtool or the server sets `ignore` to. */
export const HAS_PROMETHEUS: boolean = find();

function find(): boolean {
  try {
    for (const program of ["promtool", "prometheus"]) {
      new Deno.Command(program, { args: ["--version"], stdout: "null", stderr: "null" }).outputSync();
    }
    return true;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    Deno.stderr.writeSync(
      new TextEncoder().encode("skipped: no promtool and prometheus (Debian: apt-get install prometheus)\n"),
    );
    return false;
  }
}

/** What a run of promtool came to. */
export interface PromtoolResult {
  readonly code: number;
  /** Both streams. */
  readonly text: string;
}

/** Runs promtool. */
export async function promtool(args: readonly string[], stdin?: string): Promise<PromtoolResult> {
  const child = new Deno.Command("promtool", {
    args: [...args],
    stdin: stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  if (stdin !== undefined) await new Blob([stdin]).stream().pipeTo(child.stdin);
  const { code, stdout, stderr } = await child.output();
  return { code, text: decoder.decode(stdout) + decoder.decode(stderr) };
}

/** How a server is started. */
export interface PrometheusOptions {
  /** host:port of what it scrapes, five times a second. */
  readonly target: string;
  readonly ruleFiles?: readonly string[];
}

/** One series of an answer to an instant query. */
export interface QueriedSeries {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [atSeconds: number, value: string];
}

/** An exemplar as the server keeps it. */
export interface StoredExemplar {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: string;
  readonly timestamp: number;
}

/** A running server. */
export class PrometheusServer implements AsyncDisposable {
  readonly url: string;
  readonly #child: Deno.ChildProcess;
  readonly #folder: string;
  readonly #rest: Promise<unknown>;

  static async start({ target, ruleFiles = [] }: PrometheusOptions): Promise<PrometheusServer> {
    const folder = await Deno.makeTempDir({ prefix: "tensor-wasm-prometheus-" });
    const config = {
      global: { scrape_interval: "200ms", scrape_timeout: "200ms", evaluation_interval: "200ms" },
      rule_files: ruleFiles,
      scrape_configs: [{ job_name: "tensor-wasm", static_configs: [{ targets: [target] }] }],
    };
    // JSON is YAML.
    await Deno.writeTextFile(`${folder}/prometheus.yml`, JSON.stringify(config));
    const child = new Deno.Command("prometheus", {
      args: [
        `--config.file=${folder}/prometheus.yml`,
        `--storage.tsdb.path=${folder}/data`,
        "--web.listen-address=127.0.0.1:0",
        "--enable-feature=exemplar-storage",
      ],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const lines = child.stderr.pipeThrough(new TextDecoderStream());
    const reader = lines.getReader();
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      text += value ?? "";
      const port = /msg="Listening on" address=127\.0\.0\.1:([0-9]+)/.exec(text)?.[1];
      if (port !== undefined) {
        return new PrometheusServer(`http://127.0.0.1:${port}`, child, folder, drain(reader));
      }
      if (done) {
        await child.status;
        await Deno.remove(folder, { recursive: true });
        throw new Error(`Prometheus did not start: ${text}`);
      }
    }
  }

  private constructor(url: string, child: Deno.ChildProcess, folder: string, rest: Promise<unknown>) {
    this.url = url;
    this.#child = child;
    this.#folder = folder;
    this.#rest = rest;
  }

  /** The series that an expression gives now; throws if the server does not take it. */
  async query(expression: string): Promise<QueriedSeries[]> {
    const data = await this.#get(`query?query=${encodeURIComponent(expression)}`) as {
      readonly resultType: string;
      readonly result: unknown;
    };
    return data.resultType === "vector" ? data.result as QueriedSeries[] : [];
  }

  /** Exemplars of the series that a selector names, all of them. */
  async exemplars(selector: string): Promise<StoredExemplar[]> {
    const data = await this.#get(
      `query_exemplars?query=${encodeURIComponent(selector)}&start=0&end=${Date.now() / 1000 + 60}`,
    );
    return (data as { exemplars: StoredExemplar[] }[]).flatMap(({ exemplars }) => exemplars);
  }

  /** What it says of its rules: name, health and last error of each. */
  async rules(): Promise<{ readonly name: string; readonly health: string; readonly lastError?: string }[]> {
    const data = await this.#get("rules") as {
      readonly groups: readonly {
        readonly rules: readonly { name: string; health: string; lastError?: string }[];
      }[];
    };
    return data.groups.flatMap(({ rules }) => rules);
  }

  /** Asks until `ask` gives something, which it must within a minute. */
  async until<T>(what: string, ask: () => Promise<T | undefined>): Promise<T> {
    for (let tries = 0; tries < 600; tries++) {
      const answer = await ask();
      if (answer !== undefined) return answer;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(`Prometheus has not seen ${what}`);
  }

  async #get(path: string): Promise<unknown> {
    // The server answers 503 while it reads its log at the start.
    for (let tries = 0; tries < 600; tries++) {
      const response = await fetch(`${this.url}/api/v1/${path}`);
      if (response.status === 503) {
        await response.body?.cancel();
        await new Promise((resolve) => setTimeout(resolve, 100));
        continue;
      }
      const body = await response.json();
      if (body.status !== "success") throw new Error(`Prometheus refuses ${path}: ${body.error}`);
      return body.data;
    }
    throw new Error("Prometheus did not become ready");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.status;
    await this.#rest;
    await Deno.remove(this.#folder, { recursive: true });
  }
}

async function drain(reader: ReadableStreamDefaultReader<string>): Promise<void> {
  while (!(await reader.read()).done);
}
