/**
 * The servers that the bench loads, each in a process of its own.
 *
 * Owns starting and stopping them; the two bare ones are the yardsticks: what Deno.serve alone can do, and
 * what it can do when every request makes a fresh instance on its own thread, with no isolation, no limit
 * and no trace. Run as a program it is such a bare server or the local sink for OTLP.
 */

/** A running server. */
export interface BenchServer extends AsyncDisposable {
  readonly url: string;
  readonly pid: number;
}

const ROOT = new URL("../../", import.meta.url).pathname;

/** Starts a program whose first line on stdout ends in its address. */
async function start(args: readonly string[], env: Record<string, string>): Promise<BenchServer> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--allow-all", ...args],
    cwd: ROOT,
    env,
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const reader = child.stdout.getReader();
  let line = "";
  while (!line.includes("\n")) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`${args.join(" ")} ended before it listened`);
    line += new TextDecoder().decode(value);
  }
  const url = /http:\/\/\S+/.exec(line)?.[0] ?? "";
  // The rest of its output is read and dropped, as a log collector would take it.
  const drained = (async () => {
    while (!(await reader.read()).done);
  })();
  return {
    url,
    pid: child.pid,
    async [Symbol.asyncDispose](): Promise<void> {
      child.kill("SIGTERM");
      await child.status;
      await drained;
    },
  };
}

/** A bare server of this file. */
export function startBare(kind: "echo" | "fresh" | "sink", guest = ""): Promise<BenchServer> {
  return start([new URL(import.meta.url).pathname, kind, guest], {});
}

/** The gateway with a data folder of its own. */
export function startGateway(
  dataFolder: string,
  env: Record<string, string>,
  flags: readonly string[] = [],
): Promise<BenchServer> {
  return start(["main.ts", "serve", "--addr", "127.0.0.1:0", "--data", dataFolder, ...flags], env);
}

async function serveBare(kind: string, guest: string): Promise<void> {
  const handlers: Record<string, () => Promise<(request: Request) => Promise<Response>>> = {
    echo: () => Promise.resolve(async (request) => Response.json(await request.json())),
    sink: () =>
      Promise.resolve(async (request) => {
        await request.arrayBuffer();
        return new Response(null, { status: 200 });
      }),
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

if (import.meta.main) await serveBare(Deno.args[0] ?? "", Deno.args[1] ?? "");
