/** Where the system's loader would find the driver, as far as it can be known without asking it. */
import assert from "node:assert/strict";
import { driverPaths } from "../../../gpu/mod.ts";
import { findLoaderPaths } from "../../../runtime/executor/loader_paths.ts";

async function withCache(text: string, run: (path: string) => Promise<void>): Promise<void> {
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeFile(path, Uint8Array.from(text, (letter) => letter.charCodeAt(0)));
    await run(path);
  } finally {
    await Deno.remove(path);
  }
}

Deno.test("findLoaderPaths() has the folders that the loader was told of first, then what its list names", async () => {
  const text = "glibc-ld.so.cache1.1\x15\0\0\xff\xfe\0/lib/libc.so.6\0/opt/gpu/libcuda.so.1\0" +
    "libcuda.so.1\0/opt/gpu/libcuda.so.1.old\0/opt/gpu/libcudart.so.1\0/a,b/libcuda.so.1\0";
  await withCache(text, async (path) => {
    assert.deepEqual(await findLoaderPaths(["/told/", "/x,y"], path), [
      ...["/told/libcuda.so.1", "/opt/gpu/libcuda.so.1"],
    ]);
  });
});

Deno.test("findLoaderPaths() finds none where there is no list", async () => {
  assert.deepEqual(await findLoaderPaths([], "/nowhere/ld.so.cache"), []);
});

Deno.test("driverPaths() has them before the usual places, each once", () => {
  const usual = "/usr/local/nvidia/lib64/libcuda.so.1";
  const paths = driverPaths(undefined, ["/opt/gpu/libcuda.so.1", usual]);
  assert.ok(paths.indexOf("/opt/gpu/libcuda.so.1") < paths.indexOf(usual));
  assert.equal(paths.filter((path) => path === usual).length, 1);
  assert.deepEqual(driverPaths("/one", ["/two"]), ["/one"]);
});
