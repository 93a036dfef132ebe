/**
 * FindGpu: which device calls have, decided once, before the first of them.
 *
 * Owns the look at the CUDA driver through a child process that ends again (cell/survey.ts), and what follows from
 * it: dedicated cells on GPUs, or the cpu device with the reason. It opens no library itself. Invariants: the child
 * has an FFI permission for the libraries that exist, by their whole paths, and for nothing else; where none
 * exists there is no child.
 */
import type { Telemetry } from "../../telemetry/mod.ts";
import type { Clock } from "../model/clock.ts";
import type { CudaFound, GpuChoice, GpuPlan } from "../model/gpu.ts";
import { FRAME } from "../wire/messages.ts";
import type { SurveyedMeta } from "../wire/messages.ts";
import { baseEnvironment } from "./driver_environment.ts";
import { CHILD_FLAGS } from "./spawn_cell.ts";
import { GPU_START_TIMEOUT_MS, spawnChild } from "./spawn_child.ts";

/** What a look works with. */
export interface FindOptions {
  readonly choice: GpuChoice;
  /** Where the driver library may lie. Bare names are left out: a permission is for a path. */
  readonly driverPaths: readonly string[];
  readonly launcher: readonly string[];
  /** What the names of their sockets' folders begin with; see socket_folders.ts. */
  readonly socketPrefix?: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly clock: Clock;
}

type Tried = { readonly path: string; readonly reason: string }[];

/** The plan of a choice. Rejects if `cuda` was asked for and there is none, with everything that was tried. */
async function findGpu(options: FindOptions): Promise<GpuPlan> {
  const { device, threads, cellsPerDeviceMax } = options.choice;
  const shared = { device: device === "off" ? "off" : "cpu", threads } as const;
  if (device === "cpu" || device === "off") {
    return { kind: device, shared, cuda: undefined, cellsPerDeviceMax, fallback: undefined };
  }
  const tried: Tried = [];
  const cuda = await look(options, tried);
  if (cuda !== undefined) {
    // Calls that use the interface do not come to shared cells.
    const none = { device: "off", threads } as const;
    return { kind: "cuda", shared: none, cuda, cellsPerDeviceMax, fallback: undefined };
  }
  const reason = tried.map(({ path, reason }) => `\n  ${path}: ${reason}`).join("");
  if (device === "cuda") {
    throw new Error(`Bad gpu: cuda was asked for, and none can be used. Tried:${reason}`);
  }
  return { kind: "cpu", shared, cuda: undefined, cellsPerDeviceMax, fallback: shorten(tried) };
}

/** As findGpu, and tells the operator what came of it. */
export async function planGpu(options: FindOptions, telemetry: Telemetry): Promise<GpuPlan> {
  const plan = await findGpu(options);
  const log = telemetry.processLog("tensor_wasm_exec");
  if (plan.fallback !== undefined) log.info("gpu.fallback", { device: plan.kind, reason: plan.fallback });
  if (plan.cuda === undefined) return plan;
  const { driverPath, driverVersion, devices, unusable } = plan.cuda;
  for (const { index, name, memoryBytes } of devices) {
    const device = `cuda:${index}`;
    log.info("gpu.found", {
      ...{ device, name, memory_bytes: memoryBytes, driver: driverPath, driver_version: driverVersion },
    });
  }
  for (const { index, reason } of unusable) log.warn("gpu.unusable", { device: `cuda:${index}`, reason });
  return plan;
}

async function look(options: FindOptions, tried: Tried): Promise<CudaFound | undefined> {
  const present: string[] = [];
  for (const path of options.driverPaths) {
    if (!path.startsWith("/")) continue;
    const reason = await whyNoFile(path);
    if (reason === undefined) present.push(path);
    else tried.push({ path, reason });
  }
  if (present.length === 0) return undefined;
  try {
    const answer = await survey(options, present);
    if ("found" in answer) return answer.found;
    tried.push(...answer.tried);
  } catch (error) {
    tried.push({ path: present.join(", "), reason: error instanceof Error ? error.message : String(error) });
  }
  return undefined;
}

async function survey(
  { choice, launcher, socketPrefix, environment, clock }: FindOptions,
  driverPaths: readonly string[],
): Promise<SurveyedMeta> {
  const options = { driverPaths, allowHostMemory: choice.allowHostMemory };
  const { child, connection, frame } = await spawnChild({
    name: "Survey of GPUs",
    launcher,
    ...(socketPrefix === undefined ? {} : { socketPrefix }),
    args: (socketPath) => [
      ...CHILD_FLAGS,
      `--allow-net=unix:${socketPath}`,
      `--allow-read=${socketPath}`,
      `--allow-write=${socketPath}`,
      `--allow-ffi=${driverPaths.join(",")}`,
      new URL("../cell/survey.ts", import.meta.url).href,
      socketPath,
      JSON.stringify(options),
    ],
    environment: { ...environment, ...baseEnvironment(choice, driverPaths), CUDA_CACHE_DISABLE: "1" },
    firstFrame: FRAME.surveyed,
    startTimeoutMs: GPU_START_TIMEOUT_MS,
    clock,
  });
  connection.close();
  try {
    // It ends by itself; a driver that hangs on its way out must not stay.
    child.kill("SIGKILL");
  } catch {
    // It has.
  }
  await child.output();
  return frame.meta as SurveyedMeta;
}

async function whyNoFile(path: string): Promise<string | undefined> {
  try {
    return (await Deno.stat(path)).isFile ? undefined : "is no file";
  } catch (error) {
    return error instanceof Deno.errors.NotFound ? "no such file" : String(error);
  }
}

/** For a log line: what says more than that a file is missing, if there is anything. */
function shorten(tried: Tried): string {
  const telling = tried.filter(({ reason }) => reason !== "no such file");
  if (telling.length === 0) return "no driver library (libcuda.so.1) in any of the usual places";
  return telling.map(({ path, reason }) => `${path}: ${reason}`).join("; ");
}
