/**
 * LaunchShape: which launches no device here takes.
 *
 * Owns the largest grids and blocks, and the check of a launch against them and against what its kernel says of
 * itself. It knows no device but by the shared memory that it is told. Invariant: what passes is within the
 * bounds that PTX and the CUDA driver have for every compute capability from 7.0 on.
 */
import type { Dim3, KernelInfo, KernelLaunch } from "./device.ts";
import { GpuError } from "./gpu_error.ts";

/** Largest grid (CUDA C++ Programming Guide, "Technical Specifications per Compute Capability"). */
const GRID_MAX: Dim3 = { x: 2 ** 31 - 1, y: 65_535, z: 65_535 };
const BLOCK_MAX: Dim3 = { x: 1024, y: 1024, z: 64 };
const THREADS_MAX = 1024;

/**
 * Checks a launch.
 *
 * @param sharedBytesMax most shared memory of a block, static and dynamic
 * @throws GpuError INVALID_VALUE
 */
export function checkLaunchShape(
  { kernel, grid, block, sharedBytes, params }: KernelLaunch,
  sharedBytesMax: number,
): void {
  const refuse = (text: string): never => {
    throw new GpuError("launch", "CUDA_ERROR_INVALID_VALUE", `${kernel.name}: ${text}`);
  };
  for (const axis of ["x", "y", "z"] as const) {
    if (!isExtent(grid[axis], GRID_MAX[axis])) {
      refuse(`grid.${axis} is 1 to ${GRID_MAX[axis]}, got ${grid[axis]}`);
    }
    if (!isExtent(block[axis], BLOCK_MAX[axis])) {
      refuse(`block.${axis} is 1 to ${BLOCK_MAX[axis]}, got ${block[axis]}`);
    }
  }
  const threads = block.x * block.y * block.z;
  const threadsMax = Math.min(THREADS_MAX, kernel.threadsPerBlockMax);
  if (threads > threadsMax) refuse(`threadsPerBlockMax is ${threadsMax}, got ${threads}`);
  checkRequired(kernel, block, refuse);
  const shared = kernel.sharedBytes + sharedBytes;
  if (!(sharedBytes >= 0) || shared > sharedBytesMax) {
    refuse(`sharedBytesMax is ${sharedBytesMax}, got ${shared}`);
  }
  if (params.length !== kernel.paramBytes) {
    refuse(`expected ${kernel.paramBytes} bytes of parameters, got ${params.length}`);
  }
}

function checkRequired({ requiredBlock }: KernelInfo, block: Dim3, refuse: (text: string) => never): void {
  if (requiredBlock === undefined) return;
  const { x, y, z } = requiredBlock;
  if (block.x !== x || block.y !== y || block.z !== z) {
    refuse(`the block must be ${x} x ${y} x ${z}, got ${block.x} x ${block.y} x ${block.z}`);
  }
}

function isExtent(value: number, max: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= max;
}
