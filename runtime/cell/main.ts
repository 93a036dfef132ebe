/**
 * Entry of a cell: the child process in which guests run.
 *
 * Connects to the gateway's socket and to itself by way of another (event_loop.ts), at the paths that are its
 * arguments, gives up every permission, says it is ready and serves. It is spawned, never imported. Invariant: no byte of a guest is read before the last
 * permission is gone.
 */
import { getHeapStatistics } from "node:v8";
import { FrameReader } from "../wire/frame.ts";
import { FrameWriter } from "../wire/frame_writer.ts";
import { FRAME } from "../wire/messages.ts";
import type { ReadyMeta } from "../wire/messages.ts";
import { Cell } from "./cell.ts";
import type { CellHost } from "./cell.ts";
import { EventLoop } from "./event_loop.ts";

const PERMISSIONS = ["read", "write", "net", "env", "run", "ffi", "sys", "import"] as const;

async function main(socketPath: string, loopPath: string): Promise<void> {
  using connection = await Deno.connect({ transport: "unix", path: socketPath });
  using loop = await EventLoop.open(loopPath);
  for (const name of PERMISSIONS) {
    const status = await Deno.permissions.revoke({ name } as Deno.PermissionDescriptor);
    if (status.state === "granted") throw new Error(`Permission ${name} could not be given up`);
  }
  const ready: ReadyMeta = { nowMs: performance.now() };
  const writer = new FrameWriter(connection, () => Deno.exit(1));
  writer.send(FRAME.ready, 0, ready);
  await new Cell(new FrameReader(connection), writer, hostOn(loop)).serve();
}

function hostOn(loop: EventLoop): CellHost {
  return {
    nowMs: () => performance.now(),
    nextTurn: (callback) => loop.nextTurn(callback),
    after: (delayMs, callback) => {
      const timer = setTimeout(callback, delayMs);
      return () => clearTimeout(timer);
    },
    writeLines: writeStdout,
    heapUsedBytes: () => getHeapStatistics().used_heap_size,
    residentBytes: () => Deno.memoryUsage().rss,
  };
}

function writeStdout(bytes: Uint8Array): void {
  for (let offset = 0; offset < bytes.length;) offset += Deno.stdout.writeSync(bytes.subarray(offset));
}

const [socketPath, loopPath] = Deno.args;
if (socketPath !== undefined && loopPath !== undefined) await main(socketPath, loopPath);
