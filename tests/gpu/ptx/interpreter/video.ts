import type { Site } from "./site.ts";
import type { Step } from "./thread.ts";
export function videoStep(site: Site): Step {
  throw site.unknown();
}
