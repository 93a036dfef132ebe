/**
 * The servers that the bench loads, each in a process of its own.
 *
 * Owns starting and stopping them; the two bare ones are the yardsticks: what Deno.serve alone can do, and
 * what it can do when every request makes a fresh instance on its own thread, with no isolation, no limit
 * and no trace. Run as a program it is such a bare server or the local sink for OTLP.
 */

import config from "../../deno.json" with { type: "json" };

/** A running server. */
export interface BenchServer extends AsyncDisposable {
  readonly url: string;
  readonly pid: number;
}

const ROOT = new URL("../../", import.meta.url).pathname;

const START_MS_MAX = 20_000;
const POLL_MS = 20;
/** Longest head of a request to the sink. */
const SINK_HEAD_BYTES_MAX = 8192;
const SINK_ANSWER = new TextEncoder().encode("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");

/**
 * Starts a program whose first line on stdout ends in its address. Its output goes to a file: a reader in
 * this process would take time from the cores that are measured.
 */
async function start(
  args: readonly string[],
  env: Record<string, string>,
  v8Flags: readonly string[] = [],
): Promise<BenchServer> {
  const output = await Deno.makeTempFile();
  const child = new Deno.Command("sh", {
    args: [
      "-c",
      'exec "$0" "$@" > "$BENCH_OUTPUT"',
      Deno.execPath(),
      "run",
      "--quiet",
      "--allow-all",
      ...v8Flags,
      ...args,
    ],
    cwd: ROOT,
    env: { ...env, BENCH_OUTPUT: output },
    stdin: "null",
    stdout: "null",
    stderr: "inherit",
  }).spawn();
  const url = await firstAddress(output);
  return {
    url,
    pid: child.pid,
    async [Symbol.asyncDispose](): Promise<void> {
      child.kill("SIGTERM");
      await child.status;
      await Deno.remove(output);
    },
  };
}

async function firstAddress(output: string): Promise<string> {
  for (let waitedMs = 0; waitedMs < START_MS_MAX; waitedMs += POLL_MS) {
    const url = /http:\/\/\S+(?=\n)/.exec((await Deno.readTextFile(output)).slice(0, 200))?.[0];
    if (url !== undefined) return url;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Error(`A server did not listen within ${START_MS_MAX} ms`);
}

/** A bare server of this file. */
export function startBare(kind: "echo" | "fresh" | "sink", guest = ""): Promise<BenchServer> {
  return start([new URL(import.meta.url).pathname, kind, guest], {});
}

/** The gateway with a data folder of its own, under the engine flags of `deno task serve`. */
export function startGateway(
  dataFolder: string,
  env: Record<string, string>,
  flags: readonly string[] = [],
): Promise<BenchServer> {
  const v8Flags = config.tasks.serve.command.split(" ").filter((word) => word.startsWith("--v8-flags"));
  return start(["main.ts", "serve", "--addr", "127.0.0.1:0", "--data", dataFolder, ...flags], env, v8Flags);
}

async function serveBare(kind: string, guest: string): Promise<void> {
  const handlers: Record<string, () => Promise<(request: Request) => Promise<Response>>> = {
    echo: () => Promise.resolve(async (request) => Response.json(await request.json())),
    fresh: async () => {
      const module = new WebAssembly.Module(await Deno.readFile(guest));
      return async (request) => {
        const { export: name, args } = await request.json() as { export: string; args: number[] };
        const instance = new WebAssembly.Instance(module);
        const result = (instance.exports[name] as (...args: number[]) => unknown)(...args);
        return Response.json({ result: result === undefined ? "ok" : [result] });
      };
    },
  };
  const makeHandler = handlers[kind];
  if (makeHandler === undefined) throw new Error(`Unknown server ${kind}`);
  const handler = await makeHandler();
  Deno.serve({
    hostname: "127.0.0.1",
    port: 0,
    // deno-lint-ignore no-console -- the first line says where it listens
    onListen: ({ port }) => console.log(`listening on http://127.0.0.1:${port}`),
  }, handler);
}

/**
 * A collector that takes everything and looks at nothing, as cheaply as can be: a real one mostly runs elsewhere, and
 * this one shares the cores that are measured.
 */
async function serveSink(): Promise<void> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  // deno-lint-ignore no-console -- the first line says where it listens
  console.log(`listening on http://127.0.0.1:${listener.addr.port}`);
  for await (const connection of listener) void answerAll(connection).catch(() => connection.close());
}

/** Answers one request after another; none is sent before the last was answered. */
async function answerAll(connection: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(512 * 1024);
  const text = new TextDecoder("latin1");
  let head = "";
  let bytesLeft = 0;
  for (;;) {
    const count = await connection.read(buffer);
    if (count === null) return connection.close();
    if (bytesLeft > 0) {
      bytesLeft -= count;
    } else {
      const before = head.length;
      head += text.decode(buffer.subarray(0, Math.min(count, SINK_HEAD_BYTES_MAX)));
      const end = head.indexOf("\r\n\r\n");
      if (end < 0) continue;
      bytesLeft = Number(/\ncontent-length: *([0-9]+)/i.exec(head)?.[1] ?? 0) + end + 4 - before - count;
      head = "";
    }
    if (bytesLeft <= 0) await connection.write(SINK_ANSWER);
  }
}

if (import.meta.main) {
  const [kind = "", guest = ""] = Deno.args;
  await (kind === "sink" ? serveSink() : serveBare(kind, guest));
}
