/**
 * Entry of a cell: the child process in which guests run.
 *
 * Connects to the gateway's socket and to itself by way of another (event_loop.ts), at the paths that are its
 * arguments, opens the GPU of a dedicated cell, which is a third, gives up every permission, says it is ready and
 * serves until the gateway hangs up. It is spawned, never imported. Invariant: no byte of a guest is read before
 * the last permission is gone.
 */
import { getHeapStatistics } from "node:v8";
import type { CudaSeat } from "../model/gpu.ts";
import { FrameReader } from "../wire/frame.ts";
import { FrameWriter } from "../wire/frame_writer.ts";
import { FRAME } from "../wire/messages.ts";
import type { ReadyMeta } from "../wire/messages.ts";
import { Cell } from "./cell.ts";
import type { CellHost } from "./cell.ts";
import { EventLoop } from "./event_loop.ts";
import { GpuKeeper } from "./gpu_keeper.ts";
import type { KeeperHost } from "./gpu_keeper.ts";
import { giveUpPermissions } from "./permissions.ts";

async function main(socketPath: string, loopPath: string, seat: CudaSeat | undefined): Promise<void> {
  using connection = await Deno.connect({ transport: "unix", path: socketPath });
  using loop = await EventLoop.open(loopPath);
  using keeper = seat === undefined ? undefined : await GpuKeeper.open(seat, timers);
  await giveUpPermissions();
  const ready: ReadyMeta = { nowMs: performance.now() };
  const writer = new FrameWriter(connection, () => Deno.exit(1));
  writer.send(FRAME.ready, 0, ready);
  await new Cell(new FrameReader(connection), writer, hostOn(loop, keeper)).serve();
}

const timers: KeeperHost = {
  nowMs: () => performance.now(),
  after: (delayMs, callback) => {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};

function hostOn(loop: EventLoop, keeper: GpuKeeper | undefined): CellHost {
  return {
    ...timers,
    keeper,
    nextTurn: (callback) => loop.nextTurn(callback),
    writeLines: writeStdout,
    heapUsedBytes: () => getHeapStatistics().used_heap_size,
    residentBytes: () => Deno.memoryUsage().rss,
  };
}

function writeStdout(bytes: Uint8Array): void {
  for (let offset = 0; offset < bytes.length;) offset += Deno.stdout.writeSync(bytes.subarray(offset));
}

const [socketPath, loopPath, seat] = Deno.args;
if (socketPath !== undefined && loopPath !== undefined) {
  await main(socketPath, loopPath, seat === undefined ? undefined : JSON.parse(seat) as CudaSeat);
  // A guest that sleeps would keep the process for as long.
  Deno.exit(0);
}
