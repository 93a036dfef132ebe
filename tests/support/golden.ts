/**
 * Golden files: expected texts in tests/golden.
 *
 * `UPDATE_GOLDEN=1` writes what a test produced in place of what was expected; look at the difference before
 * committing it.
 */
import assert from "node:assert/strict";

const FOLDER = new URL("../golden/", import.meta.url);

/** Asserts that `text` equals tests/golden/`name`. */
export async function assertGolden(name: string, text: string): Promise<void> {
  const url = new URL(name, FOLDER);
  if (Deno.env.get("UPDATE_GOLDEN") === "1") {
    await Deno.mkdir(new URL(".", url), { recursive: true });
    await Deno.writeTextFile(url, text);
    return;
  }
  const expected = await readGolden(url);
  assert.notEqual(expected, undefined, `tests/golden/${name} is missing; UPDATE_GOLDEN=1 writes it`);
  assert.equal(text, expected, `tests/golden/${name} differs; UPDATE_GOLDEN=1 rewrites it`);
}

async function readGolden(url: URL): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(url);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
