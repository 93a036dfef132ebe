/** JobTexts: a text is made once for all who ask when a job has ended, and anew while it has not. */
import assert from "node:assert/strict";
import { JobTexts } from "../../../runtime/gateway/job_texts.ts";
import { JobPlace } from "../jobs/job_place.ts";

const decoder = new TextDecoder();

Deno.test("of() makes the text of a job that has ended once, and of one that has not each time", async () => {
  await using place = await JobPlace.make();
  const id = await place.submit();
  await place.settled();
  const texts = new JobTexts(place.jobs, 3);
  assert.equal(JSON.parse(decoder.decode(await texts.of(place.record(id)))).state, "running");
  place.runs[0]?.end({ output: new Uint8Array([97, 98, 99]) });
  await place.settled();
  const made = await Promise.all([texts.of(place.record(id)), texts.of(place.record(id))]);
  assert.equal(made[0], made[1]);
  const { state, result } = JSON.parse(decoder.decode(made[0]));
  assert.deepEqual([state, result.output], ["completed", "abc"]);
});

Deno.test("of() leaves output out that is over the limit", async () => {
  await using place = await JobPlace.make();
  const id = await place.submit();
  await place.settled();
  place.runs[0]?.end({ output: new Uint8Array([97, 98, 99]) });
  await place.settled();
  const { result } = JSON.parse(decoder.decode(await new JobTexts(place.jobs, 2).of(place.record(id))));
  assert.deepEqual(result, { function_id: "f", result: "ok" });
});
