/**
 * Entry of a look at the CUDA driver: a child process that says which GPUs there are, and ends.
 *
 * The gateway itself never opens a driver: a library that hangs, crashes or starts threads does so here. Its
 * arguments are the path of the gateway's socket and what to look for. It is spawned, never imported. Invariant:
 * it sends one frame.
 */
import { CudaUnavailable, surveyGpus } from "../../gpu/mod.ts";
import type { CudaSurvey } from "../../gpu/mod.ts";
import type { CudaFound } from "../model/gpu.ts";
import { FrameWriter } from "../wire/frame_writer.ts";
import { FRAME } from "../wire/messages.ts";
import type { SurveyedMeta } from "../wire/messages.ts";
import { factsOf } from "./device_facts.ts";

/** What to look for. */
export interface SurveyOptions {
  /** Libraries to try, in order; there is a permission for each. */
  readonly driverPaths: readonly string[];
  readonly allowHostMemory: boolean;
}

async function main(socketPath: string, options: SurveyOptions): Promise<void> {
  using connection = await Deno.connect({ transport: "unix", path: socketPath });
  // A gateway that is gone needs no answer.
  const writer = new FrameWriter(connection, () => {});
  writer.send(FRAME.surveyed, 0, await look(options));
  await writer.flushed();
}

async function look({ driverPaths, allowHostMemory }: SurveyOptions): Promise<SurveyedMeta> {
  const tried: { path: string; reason: string }[] = [];
  for (const driverPath of driverPaths) {
    try {
      return { found: toFound(await surveyGpus({ driverPath, allowHostMemoryAccess: allowHostMemory })) };
    } catch (error) {
      if (!(error instanceof CudaUnavailable)) throw error;
      tried.push(...error.tried);
    }
  }
  return { tried };
}

function toFound({ driverPath, driverVersion: { major, minor }, devices, unusable }: CudaSurvey): CudaFound {
  return { driverPath, driverVersion: `${major}.${minor}`, devices: devices.map(factsOf), unusable };
}

const [socketPath, options] = Deno.args;
if (socketPath !== undefined && options !== undefined) {
  await main(socketPath, JSON.parse(options) as SurveyOptions);
}
