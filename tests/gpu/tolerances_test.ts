/** The table of docs/gpu_validation.md says what the cases of the kernels allow. */
import assert from "node:assert/strict";
import { toleranceRows, twice } from "./kernels/tolerances.ts";
import { validationPage } from "../tools/generate_docs.ts";

Deno.test("docs/gpu_validation.md has the tolerances of the cases (deno task docs rewrites it)", async () => {
  const written = await Deno.readTextFile(new URL("../../docs/gpu_validation.md", import.meta.url));
  assert.equal(normalize(written), normalize(await validationPage()));
  const rows = toleranceRows();
  assert.ok(rows.length > 20, String(rows.length));
  assert.deepEqual(rows.at(-1), ["all others", "same bits", "same bits"]);
});

Deno.test("twice() lets two devices be as far apart as both may be from the reference", () => {
  assert.deepEqual(twice({ kind: "ulp", ulps: 2 }), { kind: "ulp", ulps: 4 });
  assert.deepEqual(twice({ kind: "relative", bound: 1e-3, floor: 1e-6 }), {
    kind: "relative",
    bound: 2e-3,
    floor: 2e-6,
  });
  assert.deepEqual(twice({ kind: "absolute", bound: 0.5 }), { kind: "absolute", bound: 1 });
  for (const kind of ["exact", "multiset"] as const) assert.deepEqual(twice({ kind }), { kind });
});

/** The formatter pads table cells; padding means nothing. */
function normalize(text: string): string {
  return text.replace(/ {2,}/g, " ").replace(/-{3,}/g, "---");
}
