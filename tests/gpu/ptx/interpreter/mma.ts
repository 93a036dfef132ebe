import type { Site } from "./site.ts";
import type { WarpAction } from "./warp_operations.ts";
export function matrixMultiply(site: Site): WarpAction {
  throw site.unknown();
}
