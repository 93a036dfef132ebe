import assert from "node:assert/strict";
import { readCellLog, readTail } from "../../../runtime/executor/cell_log.ts";

function streamOf(...chunks: readonly string[]): ReadableStream<Uint8Array> {
  return ReadableStream.from(chunks.map((chunk) => new TextEncoder().encode(chunk)));
}

async function linesOf(...chunks: readonly string[]): Promise<string[]> {
  const texts: string[] = [];
  assert.ok(await readCellLog(streamOf(...chunks), (line) => texts.push(line.text)));
  return texts;
}

const LINE = '{"call":1,"source":"stdout","level":"info","text":"x"}';

Deno.test("readCellLog() finds lines wherever chunks are cut", async () => {
  assert.deepEqual(await linesOf(LINE.slice(0, 9), LINE.slice(9) + "\n" + LINE, "\n"), ["x", "x"]);
});

Deno.test("readCellLog() passes over what is not a line of ours", async () => {
  assert.deepEqual(await linesOf("warning!\n", "{}\n", "null\n", '{"call":"1","text":"y"}\n', LINE + "\n"), [
    "x",
  ]);
});

Deno.test("readCellLog() reports a line over the bound and stops holding it", async () => {
  assert.equal(await readCellLog(streamOf("y".repeat(70_000)), () => {}), false);
});

Deno.test("readTail() keeps the last 4096 bytes", async () => {
  assert.equal(await readTail(streamOf("a".repeat(5000), "end")), "a".repeat(4093) + "end");
});
