import type { Site } from "./site.ts";
import type { WarpAction } from "./warp_operations.ts";
export function wmmaOperation(site: Site): WarpAction {
  throw site.unknown();
}
