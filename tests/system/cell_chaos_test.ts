/**
 * Cells that are killed at random while calls run: every call is answered, with its own result or with a fault that
 * says so; none runs twice; none waits for ever; and the pool is whole again afterwards.
 *
 * Takes some 5 s. The seed is printed; CELL_CHAOS_SEED repeats one.
 */
import assert from "node:assert/strict";
import { makeRandom } from "../runtime/store/random.ts";
import { awaitTrace } from "../support/await_trace.ts";
import { Collector } from "../support/collector.ts";
import { TestGateway } from "../support/gateway.ts";
import { buildSpanTree } from "../support/span_tree.ts";
import { until } from "./program.ts";

const CALLERS_COUNT = 48;
const CALLS_OF_EACH_COUNT = 40;
const KILLS_COUNT = 100;
const KILL_PAUSE_MS_MAX = 25;

interface Answer {
  readonly id: string;
  readonly status: number;
  readonly text: string;
  readonly traceId: string;
}

function print(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}

/** Calls that print their own name; now and then one that spins until its deadline. */
async function call(gateway: TestGateway, caller: number, random: () => number): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (let index = 0; index < CALLS_OF_EACH_COUNT; index++) {
    const id = `call-${caller}-${index}`;
    const isSpin = random() < 0.05;
    const response = isSpin
      ? await gateway.invoke("spin", { export: "run" }, { "x-tensorwasm-deadline-ms": "150" })
      : await gateway.invoke("args_env", { argv: [id] });
    const traceId = response.headers.get("x-trace-id") ?? "";
    answers.push({ id: isSpin ? "spin" : id, status: response.status, text: await response.text(), traceId });
  }
  return answers;
}

/** The cells that are alive, by the log. */
function livingCells(gateway: TestGateway): number[] {
  const pids = (message: string): number[] =>
    gateway.lines.filter((line) => line.message === message).map((line) => Number(line["pid"]));
  const ended = new Set(pids("cell.ended"));
  return pids("cell.started").filter((pid) => !ended.has(pid));
}

async function killCells(gateway: TestGateway, random: () => number): Promise<void> {
  for (let kill = 0; kill < KILLS_COUNT; kill++) {
    await new Promise((resolve) => setTimeout(resolve, random() * KILL_PAUSE_MS_MAX));
    const cells = livingCells(gateway);
    const pid = cells[Math.floor(random() * cells.length)];
    try {
      if (pid !== undefined) Deno.kill(pid, "SIGKILL");
    } catch {
      // It has ended by itself, and its line is on its way.
    }
  }
}

function assertAnswer({ id, status, text }: Answer): void {
  const kind = status === 200 ? undefined : JSON.parse(text).error.kind;
  if (id === "spin") {
    assert.ok(kind === "invoke_timeout" || kind === "cell_lost", `${id}: ${status} ${text}`);
  } else if (status === 200) {
    assert.equal(JSON.parse(text).output, `argc 2\nargv[0] args_env\nargv[1] ${id}\n`);
  } else {
    assert.deepEqual([status, kind], [502, "cell_lost"], text);
  }
}

Deno.test("cells killed at random: every call is answered, none runs twice, and the pool heals", async (t) => {
  const seed = Number(Deno.env.get("CELL_CHAOS_SEED") ?? Math.floor(Math.random() * 0xffff_ffff));
  print(`seed ${seed}`);
  const random = makeRandom(seed);
  await using collector = new Collector();
  await using gateway = await TestGateway.start({
    flags: ["--cells-min", "3", "--cells-max", "6", "--guest-log-lines-max", "10"],
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint, OTEL_BSP_SCHEDULE_DELAY: "50" },
  });
  for (const guest of ["args_env", "spin"]) await gateway.deploy(guest);
  const [answers] = await Promise.all([
    Promise.all(Array.from({ length: CALLERS_COUNT }, (_, caller) => call(gateway, caller, random))),
    killCells(gateway, random),
  ]);
  const all = answers.flat();
  const lostCount = all.filter(({ status }) => status === 502).length;
  print(`${all.length} calls, ${lostCount} lost`);

  await t.step("every call has its own result or a fault that says why not", () => {
    for (const answer of all) assertAnswer(answer);
    assert.ok(lostCount < all.length / 2, "most calls are not even touched");
  });

  await t.step("every call left a whole trace", async () => {
    for (const { traceId, id } of all) {
      const spans = await awaitTrace(collector, traceId);
      buildSpanTree(spans);
      const instances = spans.filter((span) => span.name === "tensor_wasm_exec::executor::spawn_instance");
      assert.ok(instances.length === 1 || (id === "spin" && instances.length === 0), id);
    }
  });

  await t.step("no call ran twice, and each that succeeded ran once", async () => {
    const last = all.at(-1)?.traceId;
    await gateway.line((line) => line.message === "request.completed" && line.trace_id === last);
    const runs = Map.groupBy(
      gateway.lines.filter((line) => /^argv\[1\] /.test(String(line["line"]))),
      (line) => String(line["line"]).slice("argv[1] ".length),
    );
    for (const { id, status } of all) {
      const count = runs.get(id)?.length ?? 0;
      assert.ok(status === 200 ? count === 1 : count <= 1, `${id} ran ${count} times`);
    }
  });

  await t.step("the pool is whole again, and none of it was a bug of ours", async () => {
    await until("three cells are ready", async () => {
      const text = await (await fetch(`${gateway.url}/metrics`)).text();
      const idle = /^tensor_wasm_cells\{state="idle"\} (\d+)$/m.exec(text)?.[1];
      return Number(idle) >= 3;
    });
    const response = await gateway.invoke("args_env", { argv: ["after"] });
    assert.equal(response.status, 200);
    await response.body?.cancel();
    assert.deepEqual(gateway.lines.filter((line) => line["kind"] === "internal"), []);
    const reasons = gateway.lines.filter((line) => line.message === "cell.ended").map((line) =>
      line["reason"]
    );
    const known = new Set(["cell_sigkill", "deadline_elapsed", "idle"]);
    assert.deepEqual(reasons.filter((reason) => !known.has(String(reason))), []);
    assert.ok(reasons.includes("cell_sigkill"));
  });
});
