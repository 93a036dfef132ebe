/**
 * The end of a gateway: signals, the drain, its timeout, clients that stall, and a kill. Whatever was under way
 * has its answer and its whole trace, and nothing of the gateway is left.
 */
import assert from "node:assert/strict";
import { CALL_SPANS } from "../flow/call_trace.ts";
import { assertProblem } from "../flow/problem.ts";
import { RawConnection } from "../flow/raw_http.ts";
import { Collector } from "../support/collector.ts";
import { readGuest } from "../support/guests.ts";
import { type GatewayOptions, TestGateway } from "../support/gateway.ts";
import { buildSpanTree, walkSpans } from "../support/span_tree.ts";
import { isRunning, until } from "./program.ts";

const ENDED_WELL = { success: true, code: 0, signal: null };
/** Far above what any of these ends takes; a hang is what it stands for. */
const END_MS_MAX = 60_000;

/** Waits for a gateway's end; a hang is an error, and the process is killed. */
async function assertEndsWell(gateway: TestGateway): Promise<void> {
  const late = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => late.resolve(undefined), END_MS_MAX);
  const status = await Promise.race([gateway.status, late.promise]);
  clearTimeout(timer);
  if (status === undefined) gateway.signal("SIGKILL");
  // Spread, because Deno's own record has no prototype.
  assert.deepEqual(
    { ...status },
    ENDED_WELL,
    `${status === undefined ? "still running" : await gateway.stderr}`,
  );
  assert.equal(await gateway.stderr, "");
  assert.deepEqual(gateway.strayLines, []);
}

/** Starts a call and resolves once the gateway has it; the answer is in the promise of the result. */
async function startCall(
  gateway: TestGateway,
  guest: string,
  body: unknown,
): Promise<{ readonly answer: Promise<Response>; readonly traceId: string }> {
  const traceId = crypto.randomUUID().replaceAll("-", "");
  const answer = gateway.invoke(guest, body, { traceparent: `00-${traceId}-00f067aa0ba902b7-01` });
  await gateway.line((line) => line.message === "request.received" && line.trace_id === traceId);
  return { answer, traceId };
}

function cellPids(gateway: TestGateway): number[] {
  return gateway.lines.filter((line) => line.message === "cell.started").map((line) => Number(line["pid"]));
}

async function withCollector(
  options: GatewayOptions,
  use: (gateway: TestGateway, collector: Collector) => Promise<void>,
): Promise<void> {
  await using collector = new Collector();
  await using gateway = await TestGateway.start({
    ...options,
    env: { ...options.env, OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint },
  });
  await use(gateway, collector);
}

/** The six spans of a call in one tree; the caller's own span is its parent. */
function assertWholeTrace(collector: Collector, traceId: string): void {
  const tree = buildSpanTree(collector.trace(traceId));
  assert.deepEqual([...walkSpans(tree)].map((span) => span.name).sort(), CALL_SPANS);
}

/** All that is to happen while a call runs happens in that time, on a slow machine too. */
const SLEEP_MS = 4000;

Deno.test("SIGTERM: readiness first, then refusals, while the call in flight finishes", async () => {
  await withCollector({ flags: ["--drain-delay-ms", "400"] }, async (gateway, collector) => {
    await gateway.deploy("sleep");
    await gateway.deploy("noop");
    const { answer, traceId } = await startCall(gateway, "sleep", { argv: [String(SLEEP_MS)] });
    let isAnswered = false;
    void answer.then(() => isAnswered = true);

    gateway.signal("SIGTERM");
    let readiness: { status: string; parts: { lifecycle: string } } | undefined;
    await until("readyz says no", async () => {
      const response = await fetch(`${gateway.url}/readyz`);
      readiness = await response.json();
      return response.status === 503;
    });
    assert.equal(readiness?.status, "not_ready");
    assert.notEqual(readiness?.parts.lifecycle, "serving");
    assert.equal(gateway.lines.filter((line) => line.message === "drain.finished").length, 0);

    let refused: Response | undefined;
    await until("new calls are refused", async () => {
      const response = await gateway.invoke("noop", { export: "run" });
      if (response.status === 503) refused = response;
      else assert.equal(await response.text().then(() => response.status), 200);
      return refused !== undefined;
    });
    assert.ok(refused !== undefined);
    assert.match(refused.headers.get("retry-after") ?? "", /^[1-9][0-9]*$/);
    await assertProblem(refused, { status: 503, kind: "capacity_exhausted", message: /shutting down$/ });
    const deploy = await fetch(`${gateway.url}/functions?name=late`, {
      method: "POST",
      headers: { "content-type": "application/wasm" },
      body: new Uint8Array(8),
    });
    await assertProblem(deploy, { status: 503, kind: "capacity_exhausted" });
    assert.equal((await (await fetch(`${gateway.url}/healthz`)).json()).status, "ok");
    assert.equal(isAnswered, false, "all that was to happen while the call runs");

    const response = await answer;
    assert.deepEqual([response.status, (await response.json()).output], [200, `slept ${SLEEP_MS} ms\n`]);
    await assertEndsWell(gateway);

    assertWholeTrace(collector, traceId);
    const messages = gateway.lines.map((line) => line.message);
    const started = gateway.lines.find((line) => line.message === "drain.started");
    const finished = gateway.lines.find((line) => line.message === "drain.finished");
    assert.deepEqual([started?.["in_flight"], finished?.["abandoned"]], [1, 0]);
    const completed = gateway.lines.findIndex((line) =>
      line.message === "request.completed" && line.trace_id === traceId
    );
    assert.ok(completed > messages.indexOf("drain.started"));
    assert.deepEqual(messages.slice(-2), ["cell.ended", "cell.ended"]);
  });
});

Deno.test("SIGINT ends a gateway in the same way", async () => {
  await withCollector({}, async (gateway, collector) => {
    await gateway.deploy("sleep");
    const { answer, traceId } = await startCall(gateway, "sleep", { argv: ["300"] });
    gateway.signal("SIGINT");
    assert.equal((await (await answer).json()).output, "slept 300 ms\n");
    await assertEndsWell(gateway);
    assertWholeTrace(collector, traceId);
  });
});

Deno.test("an idle gateway ends at once, and leaves neither process nor file", async () => {
  const temporary = await Deno.makeTempDir({ prefix: "tensor-wasm-test-" });
  try {
    await using gateway = await TestGateway.start({ env: { TMPDIR: temporary } });
    const count = (): number => cellPids(gateway).length;
    await until("both cells have started", () => count() === 2);
    gateway.signal("SIGTERM");
    await assertEndsWell(gateway);
    for (const pid of cellPids(gateway)) assert.equal(await isRunning(pid), false);
    assert.deepEqual(await namesIn(temporary), []);
  } finally {
    await Deno.remove(temporary, { recursive: true });
  }
});

Deno.test("two signals within a second are one wish", async () => {
  await using gateway = await TestGateway.start();
  await gateway.deploy("sleep");
  const { answer } = await startCall(gateway, "sleep", { argv: ["300"] });
  gateway.signal("SIGINT");
  gateway.signal("SIGTERM");
  gateway.signal("SIGINT");
  assert.equal((await (await answer).json()).output, "slept 300 ms\n");
  await assertEndsWell(gateway);
});

Deno.test("a signal more than a second after the first ends the gateway at once", async () => {
  await using gateway = await TestGateway.start();
  await gateway.deploy("spin");
  const { answer } = await startCall(gateway, "spin", { export: "run" });
  answer.catch(() => {});
  gateway.signal("SIGTERM");
  await gateway.line((line) => line.message === "drain.started");
  await new Promise((resolve) => setTimeout(resolve, 1100));
  gateway.signal("SIGTERM");
  assert.deepEqual({ ...await gateway.status }, { success: false, code: 130, signal: null });
  await assert.rejects(answer);
  for (const pid of cellPids(gateway)) {
    await until(`cell ${pid} has ended`, async () => !await isRunning(pid));
  }
});

Deno.test("calls that outlast the drain timeout are answered, and their traces are whole", async () => {
  const flags = ["--drain-timeout-ms", "300", "--cells-min", "1", "--cells-max", "1"];
  await withCollector({ flags }, async (gateway, collector) => {
    await gateway.deploy("spin");
    const running = await startCall(gateway, "spin", { export: "run" });
    const waiting = await startCall(gateway, "spin", { export: "run" });
    gateway.signal("SIGTERM");
    const stopped: { status: number; kind: string } = { status: 503, kind: "capacity_exhausted" };
    for (const { answer, traceId } of [running, waiting]) {
      const response = await answer;
      assert.match(response.headers.get("retry-after") ?? "", /^[1-9][0-9]*$/);
      assert.equal((await assertProblem(response, stopped)).trace_id, traceId);
    }
    await assertEndsWell(gateway);
    assertWholeTrace(collector, running.traceId);
    buildSpanTree(collector.trace(waiting.traceId));
    const finished = gateway.lines.find((line) => line.message === "drain.finished");
    assert.deepEqual([finished?.["level"], finished?.["abandoned"]], ["warn", 2]);
    for (const { traceId } of [running, waiting]) {
      const last = gateway.lines.findLast((line) => line.trace_id === traceId);
      assert.deepEqual([last?.message, last?.["status"]], ["request.completed", 503]);
    }
  });
});

Deno.test("a deploy under way at SIGTERM is stored, answered and there afterwards", async () => {
  const dataFolder = await Deno.makeTempDir({ prefix: "tensor-wasm-test-" });
  try {
    const bytes = await readGuest("add");
    {
      await using gateway = await TestGateway.start({ dataFolder });
      using connection = await RawConnection.open(gateway.url);
      await connection.sendHead("POST /functions?name=add", [
        "content-type: application/wasm",
        `content-length: ${bytes.length}`,
      ]);
      await connection.send(bytes.subarray(0, 10));
      await gateway.line((line) => line.message === "request.received" && line["uri"] === "/functions");
      gateway.signal("SIGTERM");
      await gateway.line((line) => line.message === "drain.started");
      await connection.send(bytes.subarray(10));
      assert.equal((await connection.read())?.status, 200);
      await assertEndsWell(gateway);
    }
    await using gateway = await TestGateway.start({ dataFolder });
    const response = await gateway.invoke("add", { export: "add", args: [1, 2] });
    assert.deepEqual((await response.json()).result, [3]);
  } finally {
    await Deno.remove(dataFolder, { recursive: true });
  }
});

// Clients that stall.
interface Stall {
  readonly what: string;
  begin(connection: RawConnection): Promise<void>;
}

const STALLS: readonly Stall[] = [
  {
    what: "has sent half a head",
    begin: (connection) => connection.send("POST /functions HTTP/1.1\r\nhost:"),
  },
  { what: "has sent nothing", begin: () => Promise.resolve() },
  {
    what: "has sent half a body",
    begin: async (connection) => {
      await connection.sendHead("POST /functions/echo/invoke", ["content-length: 100"]);
      await connection.send("half");
    },
  },
  {
    what: "has sent half a body and was refused",
    begin: async (connection) => {
      await connection.sendHead("POST /functions/nobody/invoke", ["content-length: 100"]);
      await connection.send("half");
      assert.equal((await connection.read())?.status, 404);
    },
  },
  {
    what: "does not read its answer of 16 MiB",
    begin: async (connection) => {
      const input = new Uint8Array(16 * 1024 * 1024);
      await connection.sendHead("POST /functions/echo/invoke", [`content-length: ${input.length}`]);
      await connection.send(input);
    },
  },
  {
    what: "keeps its connection for later",
    begin: async (connection) => {
      await connection.sendHead("GET /healthz");
      assert.equal((await connection.read())?.status, 200);
    },
  },
];
for (const { what, begin } of STALLS) {
  Deno.test(`a client that ${what} does not keep the gateway from ending`, async () => {
    await using gateway = await TestGateway.start({ flags: ["--drain-timeout-ms", "300"] });
    await gateway.deploy("echo");
    using connection = await RawConnection.open(gateway.url);
    await begin(connection);
    // Another request has the gateway look at its sockets.
    await (await fetch(`${gateway.url}/healthz`)).body?.cancel();
    gateway.signal("SIGTERM");
    await assertEndsWell(gateway);
  });
}

/** What is in a temporary folder. */
async function namesIn(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder))).map((entry) => entry.name).sort();
}

Deno.test("kill -9 leaves no cell behind, not even one whose guest spins, and no file for longer than to the next start", async () => {
  const temporary = await Deno.makeTempDir({ prefix: "tensor-wasm-test-" });
  const dataFolder = await Deno.makeTempDir({ prefix: "tensor-wasm-test-" });
  const options = { env: { TMPDIR: temporary }, dataFolder };
  try {
    {
      await using gateway = await TestGateway.start(options);
      await gateway.deploy("spin");
      const { answer } = await startCall(gateway, "spin", { export: "run" });
      answer.catch(() => {});
      // Of the workshop there may be a second one on its way, of which a folder is left then.
      await until("both cells and the workshop's have started", () => cellPids(gateway).length >= 3);
      gateway.signal("SIGKILL");
      await gateway.status;
      await assert.rejects(answer);
      const pids = cellPids(gateway);
      try {
        for (const pid of pids) await until(`cell ${pid} has ended`, async () => !await isRunning(pid));
      } finally {
        for (const pid of pids) if (await isRunning(pid)) Deno.kill(pid, "SIGKILL");
      }
    }
    await using gateway = await TestGateway.start(options);
    await until("both cells have started", () => cellPids(gateway).length === 2);
    gateway.signal("SIGTERM");
    await assertEndsWell(gateway);
    assert.deepEqual(await namesIn(temporary), []);
  } finally {
    for (const folder of [temporary, dataFolder]) await Deno.remove(folder, { recursive: true });
  }
});

/** Starts a gateway and signals it while a cell of it starts; resolves with its end and what it said. */
async function signalStarting(
  signal: Deno.Signal,
  temporary: string,
  dataFolder: string,
): Promise<Deno.CommandOutput> {
  const serve = ["main.ts", "serve", "--addr=127.0.0.1:0", "--data", dataFolder];
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-check", "--allow-all", ...serve],
    cwd: new URL("../../", import.meta.url).pathname,
    env: { TMPDIR: temporary },
    ...{ stdin: "null", stdout: "piped", stderr: "piped" },
  }).spawn();
  const output = child.output();
  const isCells = (folder: string): Promise<boolean> =>
    Deno.lstat(`${temporary}/${folder}/cell.sock`).then(() => true, () => false);
  await until("a cell starts", async () => {
    for (const name of await namesIn(temporary)) if (await isCells(name)) return true;
    return false;
  });
  child.kill(signal);
  return await output;
}

Deno.test("SIGTERM while the gateway starts: it never listens, ends well, and leaves nothing", async () => {
  const temporary = await Deno.makeTempDir({ prefix: "tensor-wasm-test-" });
  const dataFolder = await Deno.makeTempDir({ prefix: "tensor-wasm-test-" });
  try {
    let said = "listening";
    // The second cell may still start when the gateway listens already.
    for (let tries = 0; said.startsWith("listening"); tries++) {
      assert.ok(tries < 50, "a gateway is told to end before it listens");
      const { code, signal, stdout, stderr } = await signalStarting("SIGTERM", temporary, dataFolder);
      assert.deepEqual([code, signal, new TextDecoder().decode(stderr)], [0, null, ""]);
      said = new TextDecoder().decode(stdout);
    }
    const messages = said.trimEnd().split("\n").map((line) => JSON.parse(line).message);
    assert.deepEqual(messages.filter((message) => message.startsWith("drain.")), [
      "drain.started",
      "drain.finished",
    ]);
    assert.deepEqual(await namesIn(temporary), []);
  } finally {
    for (const folder of [temporary, dataFolder]) await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("a drain that a disk holds up is given up, with a line that says so", async () => {
  await using gateway = await TestGateway.start({ flags: ["--drain-timeout-ms", "300"] });
  const { digest } = await gateway.deploy("noop");
  // Opening a pipe waits for somebody who writes, as a disk that hangs does, and nobody will.
  const blob = `${gateway.dataFolder}/blobs/${digest.slice(0, 2)}/${digest}`;
  await Deno.remove(blob);
  assert.ok((await new Deno.Command("mkfifo", { args: [blob] }).output()).success);
  const again = gateway.deploy("again", await readGuest("noop"));
  again.catch(() => {});
  await gateway.line((line) => line.message === "request.received" && line["uri"] === "/functions");
  await until("the deploy waits for the disk", async () => {
    const opening = await new Deno.Command("sh", {
      args: ["-c", `cat /proc/${gateway.pid}/task/*/wchan`],
    }).output();
    return new TextDecoder().decode(opening.stdout).includes("wait_for_partner");
  });
  gateway.signal("SIGTERM");
  assert.deepEqual({ ...await gateway.status }, { success: false, code: 1, signal: null });
  await assert.rejects(again);
  const failed = gateway.lines.findLast((line) => line.message === "process.failed");
  assert.match(JSON.stringify(failed), /The drain did not end in 10300 ms/);
  for (const pid of cellPids(gateway)) assert.equal(await isRunning(pid), false);
});

Deno.test("what a gateway killed while cells start leaves goes at the next start, and nothing of other gateways", async () => {
  const temporary = await Deno.makeTempDir({ prefix: "tensor-wasm-test-" });
  const dataFolder = await Deno.makeTempDir({ prefix: "tensor-wasm-test-" });
  try {
    let left: string[] = [];
    // The cells may have been quicker.
    for (let tries = 0; left.length === 0; tries++) {
      assert.ok(tries < 50, "a kill while a cell starts leaves its folder");
      await signalStarting("SIGKILL", temporary, dataFolder);
      left = await namesIn(temporary);
    }
    const foreign = ["tensor-wasm-0123456789abcdef-1", "tensor-wasm-1"];
    for (const name of foreign) await Deno.mkdir(`${temporary}/${name}`);
    const ours = left[0]?.replace(/-[^-]*$/, "-") ?? "";
    await Deno.writeTextFile(`${temporary}/${ours}file`, "no folder of ours");
    await using gateway = await TestGateway.start({ env: { TMPDIR: temporary }, dataFolder });
    await until("both cells have started", () => cellPids(gateway).length === 2);
    gateway.signal("SIGTERM");
    await assertEndsWell(gateway);
    assert.deepEqual(await namesIn(temporary), [...foreign, `${ours}file`].sort());
  } finally {
    for (const folder of [temporary, dataFolder]) await Deno.remove(folder, { recursive: true });
  }
});
