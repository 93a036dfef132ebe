import type { Site } from "./site.ts";
import type { WarpAction } from "./warp_operations.ts";
export function loadMatrix(site: Site): WarpAction {
  throw site.unknown();
}
export function storeMatrix(site: Site): WarpAction {
  throw site.unknown();
}
export function moveMatrix(site: Site): WarpAction {
  throw site.unknown();
}
