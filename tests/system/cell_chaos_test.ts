/**
 * Twenty seconds of chaos: the run of tests/chaos, small enough for every build.
 *
 * Its own checks are the ones of the long run: each answer is right or says why not, each trace is whole, no call
 * runs twice unless it may, nothing is left. The event loop's delay is for the long run: here others share the
 * machine. The seed is printed; CELL_CHAOS_SEED repeats one.
 */
import assert from "node:assert/strict";
import { runChaos } from "../chaos/run.ts";

const DURATION_MS = 20_000;
/** On average; so that every cell is killed several times. */
const KILL_INTERVAL_MS = 400;

function say(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}

Deno.test("chaos: cells killed at random under honest and hostile load of twenty tenants", async () => {
  const seed = Number(Deno.env.get("CELL_CHAOS_SEED") ?? Math.floor(Math.random() * 0xffff_ffff));
  say(`seed ${seed}`);
  const report = await runChaos({
    durationMs: DURATION_MS,
    seed,
    tenantsCount: 20,
    concurrency: 32,
    killIntervalMs: KILL_INTERVAL_MS,
    cellsMin: 2,
    cellsMax: 3,
    waitsForShrinking: false,
    say,
  });
  report.lines().forEach(say);
  assert.equal(report.violationsCount, 0);
  // It was chaos: each of these has happened.
  for (const answer of ["200", "502 cell_lost", "504 invoke_timeout", "500 wasmtime", "left"]) {
    assert.ok((report.answers.get(answer) ?? 0) > 0, `no call was answered ${answer}`);
  }
  assert.ok(report.retriesCount > 0);
});
