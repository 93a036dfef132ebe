/**
 * What leaves a table is freed by a young collection, although the table itself has grown old.
 *
 * In each case values of some hundred bytes pass through, 16 at a time, in a process of its own, and young collections
 * follow: what they leave of the heap is compared with all that passed through. The last case shows that the check can fail:
 * a Map of the engine keeps nearly everything (docs/decisions/0021-what-outlives-a-call.md).
 */
import assert from "node:assert/strict";

const ROOT = new URL("../../../", import.meta.url);

/** `step(index, value)` enters a value and takes out the one before the last 16. */
const PROGRAM = `
  const COUNT = 20_000;
  const AGED_COUNT = 1_000;
  const heapBytes = () => process.memoryUsage().heapUsed;
  const value = () => ({ payload: new Array(100).fill(0) });
  for (let index = 0; index < AGED_COUNT; index++) step(index, value());
  gc();
  const before = heapBytes();
  for (let index = AGED_COUNT; index < COUNT; index++) step(index, value());
  gc({ type: "minor" });
  gc({ type: "minor" });
  console.log((heapBytes() - before) / (COUNT * 808));
`;

/** The share of all that passed through which is still there. */
async function keptShare(setUp: string): Promise<number> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "eval",
      "--quiet",
      "--v8-flags=--expose-gc,--initial-old-space-size=512",
      `import process from "node:process";${setUp}${PROGRAM}`,
    ],
    cwd: ROOT,
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  return Number(new TextDecoder().decode(stdout));
}

function importOf(names: string, path: string): string {
  return `import { ${names} } from ${JSON.stringify(new URL(path, ROOT).href)};`;
}

const TABLES = [
  [
    "an IdTable",
    `${importOf("IdTable", "runtime/model/id_table.ts")}
     const table = new IdTable();
     const step = (index, value) => { table.set(index, value); table.delete(index - 16); };`,
  ],
  [
    "a LinkedList",
    `${importOf("LinkedList", "runtime/model/linked_list.ts")}
     const list = new LinkedList();
     const step = (index, value) => { list.push(value); if (index >= 16) list.remove(list.first); };`,
  ],
  [
    "a PartList",
    `${importOf("PartList", "telemetry/trace/part_list.ts")}
     const parts = new PartList();
     const inside = [];
     const step = (index, value) => {
       const part = { isListed: false, before: undefined, after: undefined, value };
       parts.add(part);
       if (index >= 16) parts.remove(inside[index % 16]);
       inside[index % 16] = part;
     };`,
  ],
] as const;

for (const [name, setUp] of TABLES) {
  Deno.test(`what has left ${name} does not outlive a young collection`, async () => {
    const share = await keptShare(setUp);
    assert.ok(share < 0.02, `${share} of it is there`);
  });
}

Deno.test("what has left a Map does, which is why there are tables of our own", async () => {
  const share = await keptShare(
    "const table = new Map(); const step = (index, value) => { table.set(index, value); table.delete(index - 16); };",
  );
  assert.ok(share > 0.5, `${share} of it is there`);
});
