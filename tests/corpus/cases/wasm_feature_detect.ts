/** wasm-feature-detect: a tiny module written by hand for each proposal, validated or compiled. */
import * as detect from "wasm-feature-detect";

export async function run(): Promise<unknown> {
  const found: Record<string, boolean> = {};
  for (const [name, check] of Object.entries(detect)) found[name] = await check();
  return found;
}
