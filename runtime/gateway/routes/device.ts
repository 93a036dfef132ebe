/**
 * `GET /device`: which devices calls have.
 *
 * Owns the wire form of their facts and of the limits that calls have on them. It opens no device: a cell has said
 * what it has, or a look at the driver what there is. Invariant: `kind` is always there; everything else only if there is a device.
 */
import { createRoute, z } from "@hono/zod-openapi";
import { fault } from "../../model/fault.ts";
import type { CudaFound, DeviceFacts } from "../../model/gpu.ts";
import type { Limits } from "../../model/limits.ts";
import type { Dependencies, DeviceSource, GatewayApp } from "../environment.ts";
import { errorResponses } from "../schemas.ts";

/** How long the first cell may take to say what it has. */
const FIRST_ANSWER_MS_MAX = 5_000;

const bytes = (description: string): z.ZodNumber => z.number().int().openapi({ description });

const Facts = z.object({
  index: z.number().int(),
  name: z.string(),
  uuid: z.string().optional().openapi({ description: "The driver's own name for it" }),
  compute_capability: z.string().openapi({ example: "8.0" }),
  multiprocessors: z.number().int(),
  memory_bytes: bytes("Memory of the device"),
  warp_size: z.number().int(),
  threads_per_block_max: z.number().int(),
  shared_bytes_per_block_max: z.number().int(),
});

const Device = Facts.partial().extend({
  kind: z.enum(["cpu", "cuda", "off"]).openapi({
    description:
      "cuda: a GPU through its driver; cpu: PTX is compiled to WebAssembly; off: every function of wasi:cuda/host answers -1",
  }),
  fallback: z.string().optional().openapi({ description: "Why auto came to the cpu device" }),
  driver_version: z.string().optional().openapi({
    description: "The newest CUDA version that the driver knows",
    example: "13.0",
  }),
  devices: z.array(
    Facts.extend({
      cells: z.number().int().openapi({ description: "Cells that have it, those on their way included" }),
      cells_max: z.number().int(),
    }),
  ).optional().openapi({ description: "Every GPU; the members beside it are of the first" }),
  limits: z.object({
    memory_bytes_max: bytes("Device memory of one call"),
    tenant_memory_bytes_max: bytes("Device memory of all calls of a tenant, on a GPU").optional(),
    allocation_bytes_max: bytes("Largest buffer"),
    allocations_max: z.number().int(),
    kernels_max: z.number().int(),
    streams_max: z.number().int().openapi({ description: "Streams and events of one call, together" }),
    ptx_bytes_max: bytes("Largest PTX of one load"),
    ptx_total_bytes_max: bytes("PTX that one call has loaded"),
    entry_name_bytes_max: z.number().int(),
    args_count_max: z.number().int(),
    args_bytes_max: z.number().int(),
  }).optional().openapi({ description: "Of every tenant that has none of its own" }),
}).openapi("Device");

const deviceRoute = createRoute({
  method: "get",
  path: "/device",
  summary: "The device behind wasi:cuda/host",
  responses: {
    200: { description: "The device", content: { "application/json": { schema: Device } } },
    ...errorResponses(503),
  },
});

type DeviceBody = z.infer<typeof Device>;

/** Adds the route. */
export function addDeviceRoute(app: GatewayApp, { device, clock, limits }: Dependencies): void {
  app.openapi(deviceRoute, async (c) => {
    let cancel = (): void => {};
    const late = new Promise<never>((_, reject) => {
      cancel = clock.after(
        FIRST_ANSWER_MS_MAX,
        () =>
          reject(
            fault("capacity_exhausted", "No cell has said yet which device it has", { retryAfterSeconds: 1 }),
          ),
      );
    });
    try {
      const [first] = await Promise.race([device.facts, late]);
      return c.json(first === undefined ? { kind: "off" as const } : toBody(first, device, limits), 200);
    } finally {
      cancel();
    }
  });
}

function toBody(first: DeviceFacts, { plan, cellsByDevice }: DeviceSource, limits: Limits): DeviceBody {
  return {
    kind: first.kind,
    ...(plan.fallback === undefined ? {} : { fallback: plan.fallback }),
    ...factsOf(first),
    ...(plan.cuda === undefined ? {} : gpusOf(plan.cuda, plan.cellsPerDeviceMax, cellsByDevice())),
    limits: {
      memory_bytes_max: limits.gpuMemoryBytesMax,
      ...(plan.cuda === undefined ? {} : { tenant_memory_bytes_max: limits.gpuTenantMemoryBytesMax }),
      allocation_bytes_max: limits.gpuAllocationBytesMax,
      allocations_max: limits.gpuAllocationsMax,
      kernels_max: limits.gpuKernelsMax,
      streams_max: limits.gpuStreamsMax,
      ptx_bytes_max: limits.ptxBytesMax,
      ptx_total_bytes_max: limits.ptxTotalBytesMax,
      entry_name_bytes_max: limits.gpuEntryNameBytesMax,
      args_count_max: limits.gpuArgsCountMax,
      args_bytes_max: limits.gpuArgsBytesMax,
    },
  };
}

function gpusOf(
  { driverVersion, devices }: CudaFound,
  cellsMax: number,
  cells: readonly number[],
): Pick<DeviceBody, "driver_version" | "devices"> {
  return {
    driver_version: driverVersion,
    devices: devices.map((facts, at) => ({
      ...factsOf(facts),
      cells: cells[at] ?? 0,
      cells_max: cellsMax,
    })),
  };
}

function factsOf(facts: DeviceFacts): z.infer<typeof Facts> {
  return {
    index: facts.index,
    name: facts.name,
    ...(facts.uuid === undefined ? {} : { uuid: facts.uuid }),
    compute_capability: facts.computeCapability,
    multiprocessors: facts.multiprocessorCount,
    memory_bytes: facts.memoryBytes,
    warp_size: facts.warpSize,
    threads_per_block_max: facts.threadsPerBlockMax,
    shared_bytes_per_block_max: facts.sharedBytesPerBlockMax,
  };
}
