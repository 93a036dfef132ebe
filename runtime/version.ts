/**
 * The version of this build, from deno.json: the only place where it is written.
 */
import manifest from "../deno.json" with { type: "json" };

/** Version of the runtime. */
export const VERSION: string = manifest.version;
