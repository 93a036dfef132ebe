/**
 * Remains: what a gateway has left behind after chaos, while it still runs and when it has ended.
 *
 * Owns the level before and the comparison with it. Invariant: nothing here changes the gateway but by asking
 * for its metrics.
 */
import { isRunning } from "../system/program.ts";
import type { ChaosGateway, GatewayEnd } from "./gateway.ts";
import type { Killer } from "./killer.ts";
import { UNSAMPLED } from "./ledger.ts";
import { type ProcessFacts, readProcessFacts } from "./process_facts.ts";
import type { Report } from "./report.ts";

const MIB = 1024 * 1024;
/** What one child process takes: socket, stdout, stderr, and one to wait for it. */
const DESCRIPTORS_OF_A_CELL = 4;
/** Connections of the store, of the exporter and of clients that have not been closed yet. */
const DESCRIPTORS_SPARE = 8;
/** A heap that is not full is not collected, so some growth is no leak. */
const GROWTH_BYTES_MAX = 256 * MIB;
const SETTLE_MS_MAX = 90_000;
/** Gauges that are zero when nothing is going on; this very question is in flight. */
const ZERO_GAUGES = [
  /^tensor_wasm_active_instances\{[^}]*\} (\S+)$/gm,
  /^tensor_wasm_queue_depth (\S+)$/gm,
  /^tensor_wasm_cell_slots\{state="used"\} (\S+)$/gm,
  /^tensor_wasm_spans_dropped_total (\S+)$/gm,
  /^tensor_wasm_jobs_active (\S+)$/gm,
  /^tensor_wasm_streams_active (\S+)$/gm,
  /^tensor_wasm_http_requests_in_flight\{[^}]*invoke[^}]*\} (\S+)$/gm,
];

/** What the gateway holds now. */
export async function levelOf(gateway: ChaosGateway): Promise<ProcessFacts> {
  return await readProcessFacts(gateway.pid);
}

/** Waits until there are no more than so many cells, at most as long as the pool takes to shrink. */
export async function settle(gateway: ChaosGateway, cellsMax: number): Promise<void> {
  const endMs = performance.now() + SETTLE_MS_MAX;
  while ((await levelOf(gateway)).children.length > cellsMax && performance.now() < endMs) {
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

/** Compares with the level before, and says what there is. */
export async function checkRest(
  gateway: ChaosGateway,
  before: ProcessFacts,
  report: Report,
): Promise<string[]> {
  const after = await levelOf(gateway);
  const moreChildren = Math.max(0, after.children.length - before.children.length);
  const descriptorsMax = before.descriptorsCount + moreChildren * DESCRIPTORS_OF_A_CELL + DESCRIPTORS_SPARE;
  if (after.descriptorsCount > descriptorsMax) {
    report.violation(`${after.descriptorsCount} descriptors, at most ${descriptorsMax} expected`);
  }
  if (after.residentBytes > before.residentBytes + GROWTH_BYTES_MAX) {
    report.violation(`memory of the gateway grew to ${mib(after)} from ${mib(before)}`);
  }
  const metrics = await (await fetch(`${gateway.url}/metrics`, { headers: UNSAMPLED })).text();
  for (const pattern of ZERO_GAUGES) {
    for (const [line, value] of metrics.matchAll(pattern)) {
      if (value !== "0") report.violation(`not zero at the end: ${line}`);
    }
  }
  const total = (name: string): number => Number(new RegExp(`^${name} (\\S+)$`, "m").exec(metrics)?.[1]);
  const [spawned, terminated] = [
    total("tensor_wasm_instance_spawns_total"),
    total("tensor_wasm_instance_terminations_total"),
  ];
  if (spawned !== terminated) report.violation(`${spawned} instances made, ${terminated} ended`);
  return [
    `before and after: ${before.children.length}, ${after.children.length} children; ` +
    `${before.descriptorsCount}, ${after.descriptorsCount} descriptors; ${mib(before)}, ${
      mib(after)
    } resident`,
    `${spawned} instances made, ${terminated} ended, ` +
    `${total("tensor_wasm_call_retries_total")} calls retried by the gateway's own count`,
  ];
}

/** Checks a gateway that was told to end. */
export async function checkEnd(end: GatewayEnd, killer: Killer, report: Report): Promise<void> {
  if (end.code !== 0) report.violation(`gateway ended with ${end.code}`);
  if (end.stderr !== "") report.violation(`gateway said on stderr: ${end.stderr.slice(0, 500)}`);
  for (const line of end.strayLines) report.violation(`not a log line: ${line.slice(0, 200)}`);
  for (const file of end.temporaryFiles) report.violation(`temporary file left: ${file}`);
  for (const pid of killer.living) {
    if (await isRunning(pid)) report.violation(`cell ${pid} lives on`);
    else report.violation(`cell ${pid} has no line that says it ended`);
  }
}

function mib({ residentBytes }: ProcessFacts): string {
  return `${Math.round(residentBytes / MIB)} MiB`;
}
