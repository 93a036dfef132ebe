import assert from "node:assert/strict";
import { parseResidentBytes, readResidentBytes } from "../../../runtime/executor/resident_bytes.ts";

/** No process has it: Linux gives out numbers up to 2^22. */
const NO_PID = 2 ** 22 + 1;

Deno.test("parseResidentBytes() finds the resident size and no other", () => {
  const status =
    "Name:\tVmRSS:\t1 kB\nVmPeak:\t  999 kB\nVmHWM:\t   888 kB\nVmRSS:\t   29948 kB\nVmData:\t 7 kB\n";
  assert.equal(parseResidentBytes(status), 29_948 * 1024);
});

Deno.test("parseResidentBytes() of a zombie is nothing", () => {
  assert.equal(parseResidentBytes("Name:\tdeno\nState:\tZ (zombie)\nThreads:\t1\n"), undefined);
});

Deno.test("readResidentBytes() of a process that is not there is nothing", async () => {
  assert.equal(await readResidentBytes(NO_PID), undefined);
});

Deno.test({
  name: "readResidentBytes() agrees with what a process knows of itself",
  ignore: Deno.build.os !== "linux",
  async fn(): Promise<void> {
    const bytes = await readResidentBytes(Deno.pid);
    const own = Deno.memoryUsage().rss;
    assert.ok(bytes !== undefined && bytes > own / 2 && bytes < own * 2, `${bytes}, ${own}`);
  },
});

Deno.test({
  name: "readResidentBytes() is nothing where Deno does not give /proc out",
  permissions: { read: true },
  async fn(): Promise<void> {
    assert.equal(await readResidentBytes(Deno.pid), undefined);
  },
});
