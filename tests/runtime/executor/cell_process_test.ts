import assert from "node:assert/strict";
import { setImmediate } from "node:timers/promises";
import { CellProcess } from "../../../runtime/executor/cell_process.ts";
import { systemClock } from "../../../runtime/model/clock.ts";
import { DEFAULT_LIMITS } from "../../../runtime/model/limits.ts";

const MIB = 1024 * 1024;
/** Far more than a socket takes for a process that reads nothing. */
const LARGE_BYTES = 8 * MIB;

async function startCell(): Promise<CellProcess> {
  return await CellProcess.start({
    ...{ id: 1, limits: DEFAULT_LIMITS, clock: systemClock, launcher: [] },
    ...{ moduleBytesMax: 64 * MIB, environment: {} },
  });
}

/** Lets the event loop write what it can. */
async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await setImmediate();
}

Deno.test("CellProcess.movedBytes grows as a cell takes what stands before its ping", async () => {
  const cell = await startCell();
  await cell.ping();
  Deno.kill(cell.pid, "SIGSTOP");
  cell.sendModule("large", new Uint8Array(LARGE_BYTES));
  const ping = cell.ping();
  await turns(500);
  const stoppedBytes = cell.movedBytes;
  await turns(500);
  assert.equal(cell.movedBytes, stoppedBytes);
  Deno.kill(cell.pid, "SIGCONT");
  await ping;
  assert.ok(cell.movedBytes - stoppedBytes > LARGE_BYTES / 2, `${cell.movedBytes - stoppedBytes} bytes`);
  cell.kill("closed");
  await cell.ended;
});

Deno.test("CellProcess.movedBytes does not count what a socket takes behind the ping of a cell that is stuck", async () => {
  const cell = await startCell();
  await cell.ping();
  Deno.kill(cell.pid, "SIGSTOP");
  void cell.ping();
  await turns(500);
  const movedBytes = cell.movedBytes;
  cell.sendModule("small", new Uint8Array(1000));
  await turns(500);
  assert.equal(cell.movedBytes, movedBytes);
  cell.kill("closed");
  await cell.ended;
});
