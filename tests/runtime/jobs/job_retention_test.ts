/** JobRetention: by count, by bytes and by age, in small batches, and fair between tenants. */
import assert from "node:assert/strict";
import { JobPlace } from "./job_place.ts";

/** Submits jobs of a tenant one after another and has them end; answers their ids. */
async function done(place: JobPlace, tenant: string, count: number, outputBytes = 0): Promise<string[]> {
  const ids: string[] = [];
  for (let made = 0; made < count; made++) {
    ids.push(await place.submit(tenant));
    await place.settled();
    place.runs[0]?.end({ output: new Uint8Array(outputBytes) });
    await place.settled();
    place.clock.advance(1);
  }
  return ids;
}

function kept(place: JobPlace, ids: readonly string[]): boolean[] {
  return ids.map((id) => place.store.jobs.find(id) !== undefined);
}

Deno.test("over the count, the oldest of the tenant that keeps most go", async () => {
  await using place = await JobPlace.make({ limits: { jobsKeptMax: 4 } });
  const small = await done(place, "8", 1);
  const large = await done(place, "7", 5);
  assert.deepEqual(kept(place, small), [true]);
  assert.deepEqual(kept(place, large), [false, false, true, true, true]);
});

Deno.test("over the bytes, the tenant that takes most gives up", async () => {
  await using place = await JobPlace.make({ limits: { jobsKeptBytesMax: 100_000 } });
  const many = await done(place, "8", 3);
  const large = await done(place, "7", 3, 40_000);
  assert.deepEqual(kept(place, many), [true, true, true]);
  assert.deepEqual(kept(place, large), [false, true, true]);
});

Deno.test("what is too old goes, whoever's it is, and what waits or runs stays", async () => {
  await using place = await JobPlace.make({ limits: { jobKeptMsMax: 600_000, jobsRunningMax: 1 } });
  const old = await done(place, "7", 2);
  const [running, waiting] = [await place.submit(), await place.submit()];
  await place.settled();
  place.clock.advance(590_000);
  await place.settled();
  assert.deepEqual(kept(place, old), [true, true]);
  // It looks once a minute.
  for (const ms of [10_000, 60_000]) {
    place.clock.advance(ms);
    await place.settled();
  }
  assert.deepEqual(kept(place, [...old, running, waiting]), [false, false, true, true]);
});

Deno.test("what an earlier process left is counted, and goes when the bounds are smaller now", async () => {
  await using place = await JobPlace.make({ limits: { jobKeptMsMax: 1000 } });
  const old = await done(place, "7", 200);
  place.clock.advance(2_000);
  await place.crash();
  assert.deepEqual(kept(place, old), old.map(() => false));
  assert.deepEqual(place.store.jobs.kept(), []);
});
