import assert from "node:assert/strict";
import { pathOf } from "../../../runtime/gateway/request_path.ts";

const CASES: readonly (readonly [url: string, path: string])[] = [
  ["http://host/", "/"],
  ["http://host/a/b?c=/d", "/a/b"],
  ["http://host/%41#x", "/A"],
  ["http://[::1]:80/a", "/a"],
  ["http://host/*", "/*"],
  ["http://host", "/"],
  ["http://host:443", "/"],
  ["http://host?key=hush", "/"],
  ["http://host?key=/healthz", "/"],
  ["http://host#/healthz", "/"],
];
for (const [url, path] of CASES) {
  Deno.test(`pathOf(${url}) is ${path}`, () => {
    // As the server has it: a Request of one's own would put the path there.
    assert.equal(pathOf({ url } as Request), path);
  });
}
