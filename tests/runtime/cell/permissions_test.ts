/** What a cell can do when it has given up its permissions: nothing but call the library that it had opened. */
import assert from "node:assert/strict";
import { PERMISSION_NAMES } from "../../../runtime/cell/permissions.ts";
import { FakeCuda } from "../../support/fake_cuda.ts";

const MODULE = new URL("../../../runtime/cell/permissions.ts", import.meta.url).href;

/** Opens the library at its argument, gives up all, and says what is left. */
const SCRIPT = `
  import { giveUpPermissions, PERMISSION_NAMES } from ${JSON.stringify(MODULE)};
  const [path] = Deno.args;
  const symbols = { cuInit: { parameters: ["u32"], result: "i32" } };
  const library = Deno.dlopen(path, symbols);
  await giveUpPermissions();
  const states = {};
  for (const name of PERMISSION_NAMES) states[name] = (await Deno.permissions.query({ name })).state;
  states.file = (await Deno.permissions.query({ name: "ffi", path })).state;
  let again = "opened";
  try { Deno.dlopen(path, symbols); } catch (error) { again = error.name; }
  let pointer = "made";
  try { Deno.UnsafePointer.create(1n); } catch (error) { pointer = error.name; }
  const text = JSON.stringify({ states, again, pointer, status: library.symbols.cuInit(0) });
  await Deno.stdout.write(new TextEncoder().encode(text));`;

async function run(flags: readonly string[], path: string): Promise<Record<string, unknown>> {
  const folder = await Deno.makeTempDir();
  try {
    const file = `${folder}/script.js`;
    await Deno.writeTextFile(file, SCRIPT);
    const args = ["run", "--quiet", "--no-prompt", "--no-config", "--no-check", ...flags, file, path];
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
    const text = new TextDecoder().decode(stdout);
    assert.notEqual(text, "", new TextDecoder().decode(stderr));
    return JSON.parse(text);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("the list of permissions is this Deno's", async () => {
  for (const name of PERMISSION_NAMES) {
    assert.ok(await Deno.permissions.query({ name } as Deno.PermissionDescriptor));
  }
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["run", "--help=full"] }).output();
  const help = new TextDecoder().decode(stdout);
  const offered = new Set([...help.matchAll(/--allow-(\w+)/g)].map(([, name]) => name));
  assert.deepEqual(
    [...offered].filter((name) => name !== "all" && name !== "scripts").sort(),
    [
      ...PERMISSION_NAMES,
    ].sort(),
  );
});

const fake = await FakeCuda.build();
Deno.test.afterAll(async () => await fake?.[Symbol.asyncDispose]());

for (const [what, flags] of [["the one file", undefined], ["everything", ["--allow-all"]]] as const) {
  const skipped = fake === undefined ? " (skipped: no gcc)" : "";
  Deno.test({
    name: `giveUpPermissions() takes back ${what}, and what was open stays so${skipped}`,
    ignore: fake === undefined,
    fn: async () => {
      const { path } = fake ?? assert.fail();
      const { states, again, pointer, status } = await run(flags ?? [`--allow-ffi=${path}`], path);
      for (const [name, state] of Object.entries(states as Record<string, string>)) {
        assert.notEqual(state, "granted", name);
      }
      assert.deepEqual([again, pointer, status], ["NotCapable", "NotCapable", 0]);
    },
  });
}
