/** NamedFile: looks that overtake each other or the owner's own cut, with a file system that the test plays. */
import assert from "node:assert/strict";
import { NamedFile } from "../../../../runtime/store/embedded/named_file.ts";

interface Look {
  answer(size: number): void;
}

/** Has `Deno.stat` wait for the test while `work` runs. */
async function withSlowStat(work: (looks: Look[]) => Promise<void>): Promise<void> {
  const { stat } = Deno;
  const looks: Look[] = [];
  const fact = { dev: 1, ino: 2, size: 0 } as Deno.FileInfo;
  Deno.stat = () =>
    new Promise((resolve) => void looks.push({ answer: (size) => resolve({ ...fact, size }) }));
  try {
    await work(looks);
  } finally {
    Deno.stat = stat;
  }
}

async function fileOf(looks: Look[], size: number): Promise<NamedFile> {
  const file = NamedFile.at("/data/log", "the log");
  looks.shift()?.answer(size);
  return await file;
}

Deno.test("a look that was overtaken by one that saw more is no alarm", async () => {
  await withSlowStat(async (looks) => {
    const file = await fileOf(looks, 10);
    const [first, second] = [file.check(), file.check()];
    looks[1]?.answer(30);
    await second;
    looks[0]?.answer(20);
    await first;
    const third = file.check();
    looks[2]?.answer(29);
    await assert.rejects(third, /^StorageRefusal: the log was cut short$/);
  });
});

Deno.test("a look during or across the owner's own cut is no alarm, and a later cut is one", async () => {
  await withSlowStat(async (looks) => {
    const file = await fileOf(looks, 100);
    const before = file.check();
    const cut = Promise.withResolvers<void>();
    const cutting = file.whileCut(() => cut.promise);
    const during = file.check();
    cut.resolve();
    await cutting;
    looks[0]?.answer(100);
    looks[1]?.answer(0);
    await Promise.all([before, during]);
    const grown = file.check();
    looks[2]?.answer(50);
    await grown;
    const later = file.check();
    looks[3]?.answer(49);
    await assert.rejects(later, /cut short/);
  });
});
