import assert from "node:assert/strict";
import { parseBaggage } from "../../../telemetry/trace/baggage.ts";

Deno.test("parseBaggage() carries members as they were written", () => {
  assert.equal(parseBaggage("a=1 , b = 2;prop;p2=x,c=%20"), "a=1,b = 2;prop;p2=x,c=%20");
});

for (const member of ["", "a", "=1", "a b=1", 'a="1"', "a=b c", "a=\u00e4", "a=1;", "a=b\\c"]) {
  Deno.test(`parseBaggage() leaves out the member ${JSON.stringify(member)}`, () => {
    assert.equal(parseBaggage(`ok=1,${member},too=2`), "ok=1,too=2");
    assert.equal(parseBaggage(member), undefined);
  });
}

Deno.test("parseBaggage() carries 64 members and no more", () => {
  const members = Array.from({ length: 65 }, (_, index) => `k${index}=v`);
  assert.equal(parseBaggage(members.slice(0, 64).join(",")), members.slice(0, 64).join(","));
  assert.equal(parseBaggage(members.join(",")), members.slice(0, 64).join(","));
});

Deno.test("parseBaggage() carries 8192 characters and no more", () => {
  const fits = `a=${"v".repeat(8190)}`;
  assert.equal(parseBaggage(fits), fits);
  assert.equal(parseBaggage(`${fits}v`), undefined);
  assert.equal(parseBaggage(`b=1,${fits}`), "b=1");
});
