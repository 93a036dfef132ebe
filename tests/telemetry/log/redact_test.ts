import assert from "node:assert/strict";
import { judgeField, mayLog } from "../../../telemetry/log/redact.ts";

const DROPPED = [
  "prompt",
  "Prompts",
  "completion",
  "completions",
  "messages",
  "text",
  "authorization",
  "Authorization",
  "auth",
  "token",
  "tokens",
  "key",
  "keys",
  "secret",
  "secrets",
  "password",
  "passwd",
  "cookie",
  "set-cookie",
  "body",
  "bodies",
  "args",
  "query",
  "queries",
  "credentials",
  "input",
  "output",
  "api_key",
  "apiKey",
  "x-api-key",
  "X-Api-Key",
  "apikey",
  "accessToken",
  "access_token",
  "accesstoken",
  "client.secret",
  "clientsecret",
  "userPassword",
  "request_body",
  "proxy-authorization",
  "x-honeycomb-team",
  "jwt",
  "prompt_text",
  "API_KEY",
  "APIKey",
  "X_API_KEY",
  "privateKey",
  "PRIVATEKEY",
  "secretkey",
  "Set-Cookie",
  "ｔｏｋｅｎ",
  "to\u200bken",
  "otp",
  "db_dsn",
  "signature",
];

const KEPT = [
  "message",
  "method",
  "route",
  "status",
  "duration_ms",
  "tenant",
  "function_id",
  "instance",
  "monkey",
  "keyboard",
  "context",
  "texture",
  "author",
  "content_type",
  "Content-Type",
  "line",
  "reason",
  "error",
  "name",
  "digest",
];

const COUNTS = [
  "tokens_in",
  "input_len",
  "args_len",
  "output_bytes",
  "key_count",
  "bodyBytes",
  "token_limit",
];

for (const name of DROPPED) {
  Deno.test(`judgeField() drops ${name}`, () => assert.equal(judgeField(name), "drop"));
}

for (const name of KEPT) {
  Deno.test(`judgeField() keeps ${name}`, () => assert.equal(judgeField(name), "keep"));
}

for (const name of COUNTS) {
  Deno.test(`judgeField() keeps ${name} as a number only`, () => {
    assert.equal(mayLog(judgeField(name), 3), true);
    assert.equal(mayLog(judgeField(name), 3n), true);
    assert.equal(mayLog(judgeField(name), "three"), false);
    assert.equal(mayLog(judgeField(name), [3]), false);
  });
}

Deno.test("mayLog() never lets a number pass under a name that is a secret itself", () => {
  assert.equal(mayLog(judgeField("password"), 1234), false);
});
