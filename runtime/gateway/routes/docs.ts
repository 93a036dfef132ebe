/**
 * `/openapi.json` and `/docs`: the API's own description, and a page that shows it.
 *
 * The page's script and style are served from here, under a policy that allows no other host. Invariant: the
 * only file names ever opened are the two of the table.
 */
import type { GatewayApp } from "../environment.ts";

const ASSETS: Readonly<Record<string, string>> = {
  "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
  "swagger-ui.css": "text/css; charset=utf-8",
};

const START_SCRIPT = `window.addEventListener("load", () => {
  SwaggerUIBundle({ url: "/openapi.json", dom_id: "#docs", deepLinking: true, validatorUrl: null });
});
`;

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>TensorWasm API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
<link rel="icon" href="data:,">
</head>
<body>
<div id="docs"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
`;

const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; " +
  "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** Adds the routes. */
export function addDocsRoutes(app: GatewayApp, version: string): void {
  app.doc31("/openapi.json", {
    openapi: "3.1.0",
    info: {
      title: "TensorWasm on Deno",
      version,
      description: "Deploy WebAssembly modules, invoke their exports, follow each call by its trace id.",
      license: { name: "Apache-2.0", url: "https://www.apache.org/licenses/LICENSE-2.0" },
    },
  });
  app.get("/docs", (c) => {
    c.header("content-security-policy", POLICY);
    return c.html(PAGE);
  });
  app.get(
    "/docs/start.js",
    (c) => c.body(START_SCRIPT, 200, { "content-type": "text/javascript; charset=utf-8" }),
  );
  for (const [name, contentType] of Object.entries(ASSETS)) {
    app.get(`/docs/${name}`, async () => {
      const file = await Deno.open(new URL(import.meta.resolve(`swagger-ui-dist/${name}`)));
      return new Response(file.readable, {
        headers: { "content-type": contentType, "cache-control": "public, max-age=86400" },
      });
    });
  }
}
