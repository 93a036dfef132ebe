/**
 * Where log lines go and on which ways out they arrive, with real processes: readers that stop, files that are
 * rotated, disks that are full, processes that fail.
 */
import assert from "node:assert/strict";
import { runProgram, until } from "./program.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

interface Line {
  readonly message: string;
  readonly trace_id?: string;
  readonly [field: string]: unknown;
}

/** A gateway whose stdout is read when the test wants it, in a folder of its own. */
class RawGateway implements AsyncDisposable {
  readonly folder: string;
  readonly child: Deno.ChildProcess;
  readonly #stdout: ReadableStreamDefaultReader<Uint8Array>;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array>;
  url = "";
  /** What came with the first line, if the gateway was that quick. */
  #read: Uint8Array[] = [];

  /** `subfolder` is made in the gateway's own beforehand. */
  static async start(
    flags: readonly string[] = [],
    entry = "main.ts",
    subfolder = "",
  ): Promise<RawGateway> {
    const folder = await Deno.makeTempDir({ prefix: "tensor-wasm-test-" });
    await Deno.mkdir(`${folder}/${subfolder}`, { recursive: true });
    const gateway = new RawGateway(folder, flags.map((flag) => flag.replace("FOLDER", folder)), entry);
    const { value = new Uint8Array(0) } = await gateway.#stdout.read();
    const end = value.indexOf(10) + 1;
    const first = new TextDecoder().decode(value.subarray(0, end));
    gateway.#read = [value.subarray(end)];
    gateway.url = /^listening on (\S+)\n$/.exec(first)?.[1] ?? "";
    assert.notEqual(gateway.url, "", first);
    return gateway;
  }

  private constructor(folder: string, flags: readonly string[], entry: string) {
    this.folder = folder;
    this.child = new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--quiet", "--no-check", "--allow-all", entry],
        ...["serve", "--addr", "127.0.0.1:0", "--data", `${folder}/data`, ...flags],
      ],
      cwd: ROOT,
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#stdout = this.child.stdout.getReader();
    this.#stdin = this.child.stdin.getWriter();
  }

  /** Asks for a function that does not exist: two to three lines. Returns the trace id. */
  async ask(name = "nobody"): Promise<string> {
    const response = await fetch(`${this.url}/functions/${name}`);
    await response.body?.cancel();
    assert.equal(response.status, 404);
    return response.headers.get("x-trace-id") ?? "";
  }

  async fail(how: "t" | "r" | "e"): Promise<number> {
    await this.#stdin.write(new TextEncoder().encode(how));
    return (await this.child.status).code;
  }

  async end(): Promise<number> {
    this.child.kill("SIGTERM");
    return (await this.child.status).code;
  }

  /** The rest of stdout. */
  async stdout(): Promise<string> {
    for (;;) {
      const { done, value } = await this.#stdout.read();
      if (done) return await new Blob(this.#read as BlobPart[]).text();
      this.#read.push(value);
    }
  }

  /** Closes the reading end of stdout for good. */
  async close(): Promise<void> {
    await this.#stdout.cancel();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.child.status;
    await this.#stdin.close().catch(() => {});
    await this.#stdout.cancel().catch(() => {});
    await Deno.remove(this.folder, { recursive: true });
  }
}

/** The lines of a text, all of which must be whole. */
function linesOf(text: string): Line[] {
  assert.ok(text === "" || text.endsWith("\n"), `torn: ${text.slice(-80)}`);
  return text.split("\n").slice(0, -1).map((line) => JSON.parse(line) as Line);
}

function tracesOf(lines: readonly Line[], message: string): string[] {
  return lines.filter((line) => line.message === message).map((line) => line.trace_id ?? "");
}

Deno.test("a reader that stops reading does not stop the gateway, and gets all lines when it goes on", async () => {
  await using gateway = await RawGateway.start();
  const asked: string[] = [];
  // A pipe holds 64 KiB; these are three times as much.
  for (let index = 0; index < 300; index++) asked.push(await gateway.ask("x".repeat(64)));
  const stdout = gateway.stdout();
  assert.equal(await gateway.end(), 0);
  assert.deepEqual(tracesOf(linesOf(await stdout), "request.completed").toSorted(), asked.toSorted());
});

Deno.test("a gateway whose reader never goes on ends all the same, and leaves whole lines", async () => {
  await using gateway = await RawGateway.start();
  for (let index = 0; index < 300; index++) await gateway.ask("x".repeat(64));
  assert.equal(await gateway.end(), 0);
  const lines = linesOf(await gateway.stdout());
  assert.ok(lines.length > 100 && lines.length < 900, `${lines.length}`);
});

Deno.test("a log file is rotated by rename and SIGHUP: no line lost, none torn, none twice", async () => {
  await using gateway = await RawGateway.start(["--log-file", "FOLDER/log"]);
  const { folder } = gateway;
  const asked: string[] = [];
  const isThere = (path: string) => (): Promise<boolean> => Deno.stat(path).then(() => true, () => false);
  for (let round = 0; round < 4; round++) {
    const asking = Promise.all(Array.from({ length: 50 }, () => gateway.ask()));
    await Deno.rename(`${folder}/log`, `${folder}/log.${round}`);
    gateway.child.kill("SIGHUP");
    await until("a new log file", isThere(`${folder}/log`));
    asked.push(...await asking);
  }
  assert.equal(await gateway.end(), 0);
  const files = ["log.0", "log.1", "log.2", "log.3", "log"];
  const texts = await Promise.all(files.map((name) => Deno.readTextFile(`${folder}/${name}`)));
  const lines = texts.flatMap(linesOf);
  assert.deepEqual(tracesOf(lines, "request.received").toSorted(), asked.toSorted());
  assert.deepEqual(tracesOf(lines, "request.completed").toSorted(), asked.toSorted());
  assert.equal(lines.filter((line) => line.message === "log.reopened").length, 4);
  assert.equal(await gateway.stdout(), "");
});

Deno.test("a log file that cannot be reopened is written on, and the log says so", async () => {
  await using gateway = await RawGateway.start(["--log-file", "FOLDER/log"]);
  const { folder } = gateway;
  await Deno.rename(`${folder}/log`, `${folder}/old`);
  await Deno.mkdir(`${folder}/log`);
  gateway.child.kill("SIGHUP");
  await until(
    "a line about it",
    async () => (await Deno.readTextFile(`${folder}/old`)).includes("log.reopen_failed"),
  );
  const asked = await gateway.ask();
  assert.equal(await gateway.end(), 0);
  assert.deepEqual(tracesOf(linesOf(await Deno.readTextFile(`${folder}/old`)), "request.completed"), [asked]);
});

Deno.test("a log file that cannot be opened stops the start, by name", async () => {
  const { code, stderr } = await runProgram(["serve", "--log-file", "/nowhere/log"]);
  assert.equal(code, 1);
  assert.match(stderr, /^error: Cannot open the log file \/nowhere\/log: .*\n$/);
});

Deno.test("a gateway whose log's disk is full serves on, and ends well", async () => {
  await using gateway = await RawGateway.start(["--log-file", "/dev/full"]);
  for (let index = 0; index < 20; index++) await gateway.ask();
  assert.equal(await gateway.end(), 0);
});

Deno.test("a stdout that does not wait loses no line", async () => {
  await using gateway = await RawGateway.start([], "tests/support/nonblocking_gateway.ts");
  const asked: string[] = [];
  for (let index = 0; index < 300; index++) asked.push(await gateway.ask("x".repeat(64)));
  const stdout = gateway.stdout();
  assert.equal(await gateway.end(), 0);
  assert.deepEqual(tracesOf(linesOf(await stdout), "request.completed").toSorted(), asked.toSorted());
});

Deno.test("lines that nobody will ever read are counted as lost", async () => {
  await using gateway = await RawGateway.start();
  await gateway.close();
  for (let index = 0; index < 20; index++) await gateway.ask();
  await until("lost lines", async () => {
    const metrics = await (await fetch(`${gateway.url}/metrics`)).text();
    const lost = /^tensor_wasm_log_lines_dropped_total\{reason="output"\} (\d+)$/m.exec(metrics)?.[1];
    const written = /^tensor_wasm_log_lines_total\{has_trace="true"\} (\d+)$/m.exec(metrics)?.[1];
    return Number(lost) >= Number(written) && Number(written) >= 40;
  });
  assert.equal(await gateway.end(), 0);
});

/** Runs `use` with a gateway that logs to a named pipe. */
async function withNamedPipe(use: (gateway: RawGateway, path: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "tensor-wasm-test-" });
  try {
    const path = `${folder}/pipe`;
    assert.equal((await new Deno.Command("mkfifo", { args: [path] }).output()).code, 0);
    await using gateway = await RawGateway.start(["--log-file", path]);
    await use(gateway, path);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("a named pipe that nobody reads does not stop the gateway, nor its end", async () => {
  await withNamedPipe(async (gateway) => {
    for (let index = 0; index < 20; index++) await gateway.ask();
    assert.equal(await gateway.end(), 0);
  });
});

/** Reads a named pipe until it has the lines of a call. Opening waits for the other side, each for the other. */
async function assertReads(path: string, gateway: RawGateway): Promise<void> {
  using file = await Deno.open(path);
  const asked = await gateway.ask();
  let text = "";
  for await (const piece of file.readable.pipeThrough(new TextDecoderStream())) {
    text += piece;
    if (text.includes(asked) && text.includes("request.completed")) break;
  }
  assert.match(text, /"request\.completed"/);
}

Deno.test("a named pipe gets the lines, and after SIGHUP whoever reads it next", async () => {
  await withNamedPipe(async (gateway, path) => {
    await assertReads(path, gateway);
    // Nobody reads any more; the next lines find that out, and the gateway lets go of the pipe.
    await until("lost lines", async () => {
      await gateway.ask();
      const metrics = await (await fetch(`${gateway.url}/metrics`)).text();
      return /^tensor_wasm_log_lines_dropped_total\{reason="output"\} [1-9]/m.test(metrics);
    });
    gateway.child.kill("SIGHUP");
    await assertReads(path, gateway);
    assert.equal(await gateway.end(), 0);
  });
});

Deno.test("a log file that was deleted is made anew by SIGHUP, and once its folder is back if that was gone", async () => {
  await using gateway = await RawGateway.start(["--log-file", "FOLDER/logs/log"], "main.ts", "logs");
  const logs = `${gateway.folder}/logs`;
  const isLogged = (trace: string) => async (): Promise<boolean> => {
    const text = await Deno.readTextFile(`${logs}/log`).catch(() => "");
    return linesOf(text).some((line) => line.message === "request.completed" && line.trace_id === trace);
  };
  await Deno.remove(`${logs}/log`);
  gateway.child.kill("SIGHUP");
  await until("a new log file", () => Deno.stat(`${logs}/log`).then(() => true, () => false));
  await until("a line in it", isLogged(await gateway.ask()));

  await Deno.remove(logs, { recursive: true });
  gateway.child.kill("SIGHUP");
  await gateway.ask();
  await Deno.mkdir(logs);
  const [first, last] = [await gateway.ask(), await gateway.ask()];
  assert.notEqual(first, last);
  await until("a line in a folder that came back", isLogged(last));
  assert.equal(await gateway.end(), 0);
});

for (
  const [how, code, error] of [["t", 1, "a bug, thrown"], ["r", 1, "a bug, rejected"], [
    "e",
    7,
    undefined,
  ]] as const
) {
  for (const flags of [[], ["--log-file", "FOLDER/log"]]) {
    const where = flags.length === 0 ? "stdout" : "a log file";
    Deno.test(`a process that fails (${how}) has its lines in ${where} first`, async () => {
      await using gateway = await RawGateway.start(flags, "tests/support/failing_gateway.ts");
      const asked = await Promise.all(Array.from({ length: 20 }, () => gateway.ask()));
      assert.equal(await gateway.fail(how), code);
      const stdout = await gateway.stdout();
      const lines = linesOf(flags.length === 0 ? stdout : await Deno.readTextFile(`${gateway.folder}/log`));
      assert.deepEqual(tracesOf(lines, "request.completed").toSorted(), asked.toSorted());
      const failed = lines.filter((line) => line.message === "process.failed");
      const messages = failed.map((line) => (line["error"] as { message: string }).message);
      assert.deepEqual(messages, error === undefined ? [] : [error]);
    });
  }
}
