// A host shaped like GitHub Enterprise Server, on one port of this machine: /api/v3/ is npm's `emulate`, /OWNER/NAME.git/ is git's own
// http-backend. What emulate lacks and sprag needs is added here: reactions, artifact zips, ETags, the refusal of unknown tokens.
// usage: node serve.mjs PORT FOLDER   (FOLDER: app.pem, repos/OWNER/NAME.git, traces.zip; writes ready.json)
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs";
import http from "node:http";
import { gunzipSync } from "node:zlib";
import { createEmulator } from "emulate";

const port = Number(process.argv[2]);
const folder = process.argv[3];
const api = `http://127.0.0.1:${port + 1}`;

// The plugin's file has a hash in its name: it is found by what it says.
const dist = "./node_modules/emulate/dist/";
const holds = (name) => /^dist-.*\.js$/.test(name) && fs.readFileSync(dist + name, "utf8").includes("/check-runs/:check_run_id/rerequest");
const github = await import(dist + fs.readdirSync(dist).find(holds));

let store;
const counts = {};
const register = github.githubPlugin.register;
github.githubPlugin.register = (app, emulated, webhooks, baseUrl, tokens) => {
  store = emulated;
  const answer = app.fetch.bind(app);
  app.fetch = async (request, ...rest) => {
    const url = new URL(request.url);
    const authorization = request.headers.get("authorization") ?? "";
    const token = authorization.replace(/^(Bearer|token) /i, "");
    const known = !/^gh[sp]_/.test(token) || tokens.has(token);
    if (!known) return json({ message: "Bad credentials" }, 401);
    const response = await answer(request, ...rest);
    const template = `${request.method} ${url.pathname.replace(/\/\d+/g, "/N").replace(/[0-9a-f]{40}/g, "SHA")}`;
    counts[template] = (counts[template] ?? 0) + 1;
    if (request.method !== "GET" || !response.ok || !(response.headers.get("content-type") ?? "").includes("json")) return response;
    const body = await response.text();
    const headers = new Headers(response.headers);
    const tag = `W/"${createHash("sha256").update(body).digest("hex")}"`;
    headers.set("etag", tag);
    headers.delete("content-length");
    const same = request.headers.get("if-none-match") === tag;
    return same ? new Response(null, { status: 304, headers }) : new Response(body, { status: response.status, headers });
  };
  app.post("/repos/:o/:r/issues/comments/:id/reactions", async (c) => {
    const { content } = await c.req.json();
    return c.json({ id: 1, node_id: "R", user: null, content, created_at: new Date().toISOString() }, 201);
  });
  // As GitHub does, the content is on another host, which wants no token.
  app.get("/repos/:o/:r/actions/artifacts/:id/zip", (c) => {
    const artifact = github.getGitHubStore(store).artifacts.get(Number(c.req.param("id")));
    if (!artifact) return c.json({ message: "Not Found" }, 404);
    if (artifact.expired) return c.json({ message: "Artifact has expired" }, 410);
    return new Response(null, { status: 302, headers: { location: `http://localhost:${port}/_blob/traces.zip` } });
  });
  app.get("/_counts", (c) => c.json(counts));
  return register.call(github.githubPlugin, app, emulated, webhooks, baseUrl, tokens);
};
const json = (value, status) => new Response(JSON.stringify(value), { status, headers: { "content-type": "application/json" } });

const seed = {
  tokens: { ghp_alice: { login: "alice", scopes: ["repo", "workflow"] }, ghp_bob: { login: "bob", scopes: ["repo"] } },
  github: {
    users: [{ login: "alice", name: "Alice", email: "alice@example.com" }, { login: "bob", name: "Bob", email: "bob@example.com" }],
    orgs: [{ login: "acme", name: "Acme", members: [{ login: "alice", role: "admin" }] }],
    repos: [{ owner: "acme", name: "shop", auto_init: true }],
    apps: [{
      app_id: 12345, slug: "sprag-test", name: "sprag", private_key: fs.readFileSync(`${folder}/app.pem`, "utf8"),
      permissions: { contents: "write", issues: "write", pull_requests: "write", checks: "write", actions: "read", metadata: "read" },
      events: [], installations: [{ installation_id: 100, account: "acme", repository_selection: "all" }],
    }],
  },
};
await createEmulator({ service: "github", port: port + 1, baseUrl: api, seed });
const all = github.getGitHubStore(store);
const repo = all.repos.all().find((repo) => repo.full_name === "acme/shop");
const now = new Date().toISOString();
const workflow = all.workflows.insert({ node_id: "W", repo_id: repo.id, name: "nightly", path: ".github/workflows/nightly.yml", state: "active", badge_url: "" });
const run = all.workflowRuns.insert({
  node_id: "WR", repo_id: repo.id, workflow_id: workflow.id, name: "nightly", path: ".github/workflows/nightly.yml", head_branch: "main",
  head_sha: "0".repeat(40), run_number: 1, event: "schedule", status: "completed", conclusion: "failure",
  actor_id: all.users.all()[0].id, run_attempt: 1, run_started_at: now,
});
const size = fs.statSync(`${folder}/traces.zip`).size;
for (const expired of [false, true]) {
  all.artifacts.insert({ node_id: "A", run_id: run.id, repo_id: repo.id, name: expired ? "agent-traces-old" : "agent-traces", size_in_bytes: size, expired, expires_at: now });
}

// Whether a token may push: creating a blob needs the same permission.
async function mayPush(token, repository) {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const body = JSON.stringify({ content: "x", encoding: "utf-8" });
  return (await fetch(`${api}/repos/${repository}/git/blobs`, { method: "POST", headers, body })).status;
}

async function git(request, response, url, body) {
  const [, repository] = url.pathname.match(/^\/([^/]+\/[^/]+)\.git\//);
  const [, basic] = (request.headers.authorization ?? "").match(/^Basic (.*)$/) ?? [];
  const token = basic ? Buffer.from(basic, "base64").toString().split(":").slice(1).join(":") : "";
  const status = token ? await mayPush(token, repository) : 401;
  const pushes = url.pathname.includes("receive-pack") || url.search.includes("receive-pack");
  if (status === 401) return response.writeHead(401, { "www-authenticate": 'Basic realm="GitHub"' }).end();
  if (status >= 400 && pushes) return response.writeHead(403).end();
  const input = request.headers["content-encoding"] === "gzip" ? gunzipSync(body) : body;
  const child = spawn("git", ["http-backend"], {
    env: {
      ...process.env, GIT_PROJECT_ROOT: `${folder}/repos`, GIT_HTTP_EXPORT_ALL: "1", PATH_INFO: url.pathname, QUERY_STRING: url.search.slice(1),
      REQUEST_METHOD: request.method, CONTENT_TYPE: request.headers["content-type"] ?? "", CONTENT_LENGTH: String(input.length),
      REMOTE_USER: "x-access-token", REMOTE_ADDR: "127.0.0.1", GIT_PROTOCOL: request.headers["git-protocol"] ?? "",
    },
  });
  child.stdin.end(input);
  const parts = [];
  for await (const part of child.stdout) parts.push(part);
  const output = Buffer.concat(parts);
  const end = output.indexOf("\r\n\r\n");
  let code = 200;
  const headers = {};
  for (const line of output.subarray(0, end).toString().split("\r\n")) {
    const at = line.indexOf(": ");
    if (line.startsWith("Status")) code = Number(line.slice(at + 2, at + 5));
    else headers[line.slice(0, at)] = line.slice(at + 2);
  }
  response.writeHead(code, headers).end(output.subarray(end + 4));
}

http.createServer(async (request, response) => {
  try {
    const url = new URL(request.url, `http://127.0.0.1:${port}`);
    const parts = [];
    for await (const part of request) parts.push(part);
    const body = Buffer.concat(parts);
    if (url.pathname === "/_blob/traces.zip") {
      if (request.headers.authorization) return response.writeHead(400).end("this host wants no Authorization");
      return response.writeHead(200, { "content-type": "application/zip" }).end(fs.readFileSync(`${folder}/traces.zip`));
    }
    if (/^\/[^/]+\/[^/]+\.git\//.test(url.pathname)) return await git(request, response, url, body);
    if (!url.pathname.startsWith("/api/v3/")) return response.writeHead(404).end();
    const headers = { ...request.headers };
    for (const name of ["host", "connection", "content-length"]) delete headers[name];
    const target = `${api}${url.pathname.slice("/api/v3".length)}${url.search}`;
    const answer = await fetch(target, { method: request.method, headers, body: body.length ? body : undefined, redirect: "manual" });
    const back = Object.fromEntries(answer.headers);
    delete back["content-encoding"];
    delete back["content-length"];
    response.writeHead(answer.status, back).end(Buffer.from(await answer.arrayBuffer()));
  } catch (error) {
    console.error(error);
    response.writeHead(500).end();
  }
}).listen(port, "127.0.0.1", () => fs.writeFileSync(`${folder}/ready.json`, JSON.stringify({ port })));
