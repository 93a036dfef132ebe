/**
 * trace_store_load: what the trace store takes of the gateway under load: requests a second and CPU time for each.
 *
 * Two gateways, the store off and on, are loaded in turns with a no-op guest; the CPU time is that of the gateway's
 * own process, from /proc. It needs wrk. Run: `deno run -A --no-check tests/bench/trace_store_load.ts`. The
 * numbers of docs/decisions/ on the trace store come from here.
 */
import { load, median } from "./load.ts";
import type { Measurement } from "./load.ts";
import { type BenchServer, startGateway } from "./servers.ts";

const ROUNDS = 5;
const SECONDS = 3;
const CONNECTIONS = 16;
/** Clock ticks of /proc are hundredths of a second. */
const TICK_MICROS = 10_000;

interface Row {
  readonly name: string;
  readonly server: BenchServer;
  readonly url: string;
  readonly measurements: Measurement[];
  readonly micros: number[];
}

async function cpuMicros(pid: number): Promise<number> {
  const fields = (await Deno.readTextFile(`/proc/${pid}/stat`)).split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) * TICK_MICROS;
}

await using stack = new AsyncDisposableStack();
const rows: Row[] = [];
const choices = [["store off", "0"], ["store on", "67108864"], [
  "store on, disk at full rate",
  "67108864",
]] as const;
for (const [name, bytesMax] of choices) {
  const folder = await Deno.makeTempDir();
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  const rate = name.endsWith("rate") ? ["--trace-store-write-bytes-per-second-max", "1000000000"] : [];
  const server = stack.use(
    await startGateway(folder, {}, [
      "--trace-store-bytes-max",
      bytesMax,
      "--trace-store-traces-max",
      "10000000",
      ...rate,
    ]),
  );
  const guest = await Deno.readFile(new URL("../guests/build/noop.wasm", import.meta.url));
  const headers = { "content-type": "application/wasm" };
  const response = await fetch(`${server.url}/functions?name=noop`, { method: "POST", headers, body: guest });
  await response.body?.cancel();
  rows.push({ name, server, url: `${server.url}/functions/noop/invoke`, measurements: [], micros: [] });
}
const body = JSON.stringify({ export: "run", args: [] });
for (let round = -1; round < ROUNDS; round++) {
  for (const { server, url, measurements, micros } of rows) {
    const before = await cpuMicros(server.pid);
    const measured = await load({ url, body }, CONNECTIONS, SECONDS);
    const spent = await cpuMicros(server.pid) - before;
    if (round < 0) continue;
    measurements.push(measured);
    micros.push(spent / (measured.requestsPerSecond * SECONDS));
  }
}
for (const { name, measurements, micros } of rows) {
  const { requestsPerSecond, p99Ms } = median(measurements);
  const middle = micros.toSorted((a, b) => a - b)[Math.floor(micros.length / 2)] ?? 0;
  const best = Math.min(...micros);
  Deno.stdout.writeSync(new TextEncoder().encode(
    `${name.padEnd(30)} ${requestsPerSecond.toFixed(0).padStart(7)} requests/s  p99 ${
      p99Ms.toFixed(2)
    } ms  ` +
      `${middle.toFixed(1)} us of CPU a request (least ${best.toFixed(1)})\n`,
  ));
}
