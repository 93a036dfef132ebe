/**
 * `deno run --allow-all tests/chaos/main.ts`: a gateway under load from many tenants, honest and hostile, while
 * its cells are killed at random every second.
 *
 * Prints progress every 10 s and a verdict with figures; ends with 1 if anything was not as it has to be.
 * Options: --minutes N, --seed N, --tenants N, --concurrency N, --kill-ms N, --cells-min N, --cells-max N.
 */
import { parseArgs } from "node:util";
import { runChaos } from "./run.ts";

const LOOP_DELAY_MS_MAX = 20;

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    seed: { type: "string", default: String(Math.floor(Math.random() * 0xffff_ffff)) },
    tenants: { type: "string", default: "20" },
    concurrency: { type: "string", default: "48" },
    "kill-ms": { type: "string", default: "1000" },
    "cells-min": { type: "string", default: "2" },
    "cells-max": { type: "string", default: "3" },
  },
});

function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}

const minutes = Number(values.minutes);
say(`seed ${values.seed}, ${minutes} minutes, load average ${Deno.loadavg()[0]?.toFixed(1)}`);
const report = await runChaos({
  durationMs: minutes * 60_000,
  seed: Number(values.seed),
  tenantsCount: Number(values.tenants),
  concurrency: Number(values.concurrency),
  killIntervalMs: Number(values["kill-ms"]),
  cellsMin: Number(values["cells-min"]),
  cellsMax: Number(values["cells-max"]),
  // A run of less than two minutes is for trying things out.
  waitsForShrinking: minutes >= 2,
  loopDelayMsMax: LOOP_DELAY_MS_MAX,
  say,
});
for (const line of report.lines()) say(line);
say(report.violationsCount === 0 ? "PASSED" : `FAILED: ${report.violationsCount} violations`);
Deno.exit(report.violationsCount === 0 ? 0 : 1);
