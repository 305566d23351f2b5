// A host shaped like GitHub Enterprise Server, on one port of this machine: /api/v3/ is npm's `emulate`, /OWNER/NAME.git/ is git's own
// http-backend. Where emulate is not as GitHub, a comment GAP says so and what follows closes it; nothing else of GitHub is played here.
import { spawn, execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs";
import http from "node:http";
import { gunzipSync } from "node:zlib";
import { createEmulator } from "emulate";

// GAP: emulate's times have milliseconds. GitHub's have none, and text is compared with them.
const precise = Date.prototype.toISOString;
Date.prototype.toISOString = function () {
  return precise.call(this).replace(/\.\d+Z$/, "Z");
};

/** emulate's plugin for GitHub. Its file has a hash in its name, so it is found by what it says. */
async function plugin() {
  const dist = new URL("./node_modules/emulate/dist/", import.meta.url);
  const said = (name) => fs.readFileSync(new URL(name, dist), "utf8").includes("/check-runs/:check_run_id/rerequest");
  const name = fs.readdirSync(dist).find((name) => /^dist-.*\.js$/.test(name) && said(name));
  if (!name) throw new Error("this emulate has no plugin for GitHub that is known here; package.json names the version");
  return import(new URL(name, dist));
}

/** Finds the endpoint that a method and a path call, named as in GitHub's description: `GET /repos/{owner}/{repo}`. */
function endpoints(file) {
  const { paths } = JSON.parse(fs.readFileSync(file, "utf8"));
  const routes = Object.entries(paths).map(([template, methods]) => {
    const many = (name) => (/^\{(ref|branch|basehead)\}$/.test(name) ? ".+" : "[^/]+");
    return { template, methods, pattern: new RegExp(`^${template.replaceAll(".", "\\.").replace(/\{[^}]+\}/g, many)}$`) };
  });
  // `issues/comments` also looks like an issue's number: the template with fewer parameters is meant.
  routes.sort((one, other) => one.template.split("{").length - other.template.split("{").length);
  return (method, path) => {
    const route = routes.find((route) => route.pattern.test(path) && route.methods[method.toLowerCase()]);
    return route && `${method} ${route.template}`;
  };
}

const json = (value, status = 200, headers = {}) =>
  new Response(JSON.stringify(value), { status, headers: { "content-type": "application/json; charset=utf-8", ...headers } });
const refusal = (status, message, errors) => json({ message, documentation_url: "https://docs.github.com/rest", status: String(status), errors }, status);

/**
 * Starts the host. `folder` has `repos/OWNER/NAME.git` and is written to; `seed` is emulate's own seed; `description` is the path of GitHub's
 * OpenAPI description. The result's fields may be changed while it runs: `stateless` (tokens in the long new form), `refusePushes` (how many
 * of the next pushes are refused as by a token that has ended), `delay` (of each answer, in milliseconds), `life` (of the tokens minted from
 * now on, in seconds; they are told to end five minutes later, so that a client that renews in time does so after `life`/4), `artifacts`
 * (zips by id).
 */
export async function start({ folder, seed, description }) {
  const endpoint = endpoints(description);
  const host = { records: [], pushes: [], reactions: [], artifacts: {}, stateless: false, refusePushes: 0, minted: [], people: 0, delay: 0, life: 0 };
  const ends = new Map();
  let app, store, tokens;
  const github = await plugin();
  const register = github.githubPlugin.register;
  github.githubPlugin.register = (routes, emulated, webhooks, baseUrl, known) => {
    [app, store, tokens] = [routes, emulated, known];
    missing(routes);
    return register.call(github.githubPlugin, routes, emulated, webhooks, baseUrl, known);
  };

  const server = http.createServer((request, response) => {
    handle(request, response).catch((error) => {
      host.trouble = error;
      console.error(error);
      if (!response.headersSent) response.writeHead(500);
      response.end();
    });
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  host.url = `http://127.0.0.1:${server.address().port}`;
  host.api = `${host.url}/api/v3`;
  const emulator = await createEmulator({ service: "github", port: 0, hostname: "127.0.0.1", baseUrl: host.url, seed });
  host.store = github.getGitHubStore(store);
  host.close = () => Promise.all([emulator.close(), new Promise((done) => server.close(done).closeAllConnections())]);
  host.repo = (name) => host.store.repos.all().find((repo) => repo.full_name === name);
  // GAP: an App's bot is there from the beginning, not from its first change on.
  for (const { slug } of seed.github.apps) {
    const like = host.store.users.all()[0];
    const { id, created_at, updated_at, ...rest } = like;
    host.store.users.insert({ ...rest, login: `${slug}[bot]`, node_id: "BOT", type: "Bot", name: slug, email: null });
  }

  // --- What emulate does not have at all ------------------------------------------------------------------------------------------

  function missing(routes) {
    const repository = (c) => host.repo(`${c.req.param("o")}/${c.req.param("r")}`);
    // What emulate lists for each issue, for all issues in one list.
    const together = async (c, what, issues, sorted) => {
      const query = (name, otherwise) => Number(c.req.query(name) ?? otherwise);
      const [page, size, since] = [query("page", 1), query("per_page", 30), c.req.query("since") ?? ""];
      const repo = repository(c);
      const all = [];
      for (const { number } of host.store.issues.findBy("repo_id", repo.id).filter(issues)) {
        const url = `${host.url}/repos/${repo.full_name}/issues/${number}/${what}?per_page=100`;
        const answer = await app.fetch(new Request(url, { headers: { authorization: c.req.header("authorization") } }));
        if (!answer.ok) return answer;
        all.push(...(await answer.json()));
      }
      const kept = all.filter((one) => what !== "comments" || one.updated_at >= since).sort(sorted);
      const more = kept.length > page * size;
      const link = more ? { link: `<${host.api}/repositories/1/issues/${what}?page=${page + 1}>; rel="next"` } : {};
      return json(kept.slice((page - 1) * size, page * size), 200, link);
    };
    // GAP: label events of the whole repository, newest first.
    const newest = (one, other) => other.id - one.id;
    routes.get("/repos/:o/:r/issues/events", (c) => together(c, "events", (issue) => !issue.is_pull_request, newest));
    // GAP: comments of the whole repository. emulate has them, but takes the path for that of an issue called "comments".
    routes.get("/repos/:o/:r/issues/comments", (c) => {
      const field = c.req.query("sort") === "updated" ? "updated_at" : "created_at";
      const up = c.req.query("direction") === "desc" ? -1 : 1;
      const order = (one, other) => up * (one[field].localeCompare(other[field]) || one.id - other.id);
      return together(c, "comments", () => true, order);
    });
    // GAP: reactions.
    routes.post("/repos/:o/:r/issues/comments/:id/reactions", async (c) => {
      const { content } = await c.req.json();
      const comment = Number(c.req.param("id"));
      if (!host.store.comments.get(comment)) return refusal(404, "Not Found");
      const there = host.reactions.some((one) => one.comment === comment && one.content === content);
      if (!there) host.reactions.push({ comment, content });
      return json({ id: host.reactions.length, content, created_at: new Date().toISOString() }, there ? 200 : 201);
    });
    // GAP: the content of artifacts. As GitHub does, it is on another host, which wants no token.
    routes.get("/repos/:o/:r/actions/artifacts/:id/zip", (c) => {
      const artifact = host.store.artifacts.get(Number(c.req.param("id")));
      if (!artifact) return refusal(404, "Not Found");
      if (artifact.expired) return refusal(410, "Artifact has expired");
      const location = `${host.url.replace("127.0.0.1", "localhost")}/_blob/${artifact.id}?sig=abc`;
      return new Response(null, { status: 302, headers: { location } });
    });
  }

  // --- What emulate takes and GitHub does not -------------------------------------------------------------------------------------

  function refused(method, path, token, body) {
    // GAP: a token that nobody knows is the first user's.
    const ended = (ends.get(token) ?? Infinity) < Date.now();
    if (/^gh[a-z]_/.test(token) && (ended || !tokens.has(token))) return refusal(401, "Bad credentials");
    // GAP: JWTs may live for ever, and begin in the future.
    if (token.startsWith("eyJ")) {
      const { iat, exp } = JSON.parse(Buffer.from(token.split(".")[1], "base64url"));
      const now = Date.now() / 1000;
      if (exp > now + 600) return refusal(401, "'Expiration time' claim ('exp') is too far in the future");
      if (iat > now + 1) return refusal(401, "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued");
    }
    // GAP: a token of an App belongs to no user; emulate takes the owner of the account for one.
    if (path === "/user" && tokens.get(token)?.installation) return refusal(403, "Resource not accessible by integration");
    const [, name, rest] = path.match(/^\/repos\/([^/]+\/[^/]+)\/(.*)$/) ?? [];
    const repo = name && host.repo(name);
    const what = `${method} ${rest}`;
    const branch = (name) => host.store.branches.findBy("repo_id", repo.id).find((branch) => branch.name === name);
    // GAP: a second pull request of a branch, and one of a branch that is not there, which would be made.
    if (what === "POST pulls") {
      const error = (problem) => refusal(422, "Validation Failed", [{ resource: "PullRequest", ...problem }]);
      if (!body.head.includes(":") && !branch(body.head)) return error({ field: "head", code: "invalid" });
      const open = host.store.pullRequests.findBy("repo_id", repo.id).filter((pull) => pull.state === "open");
      if (open.some((pull) => pull.head_ref === body.head && pull.base_ref === body.base)) {
        return error({ code: "custom", message: `A pull request already exists for ${repo.full_name.split("/")[0]}:${body.head}.` });
      }
    }
    // GAP: check runs of people, on commits that are not there, and with more annotations than one request may have.
    if (what === "POST check-runs" && !tokens.get(token)?.installation) return refusal(403, "You must authenticate via a GitHub App.");
    if (what === "POST check-runs" && !host.store.commits.findBy("repo_id", repo.id).some((commit) => commit.sha === body.head_sha)) {
      return refusal(422, `No commit found for SHA: ${body.head_sha}`);
    }
    if (/^(POST|PATCH) check-runs/.test(what) && body.output?.annotations?.length > 50) return refusal(422, "Invalid request.");
    return undefined;
  }

  // --- What emulate answers and GitHub does not -----------------------------------------------------------------------------------

  const makers = new Map();
  const corrections = {
    // GAP: tokens in the form of 2026, with dots and some 520 characters.
    "POST /app/installations/{installation_id}/access_tokens": (value) => {
      if (host.stateless) {
        const part = (length) => createHash("sha512").update(value.token + length).digest("base64url").repeat(6).slice(0, length);
        const long = `ghs_${seed.github.apps[0].app_id}_${part(36)}.${part(386)}.${part(86)}`;
        tokens.set(long, tokens.get(value.token));
        tokens.delete(value.token);
        value.token = long;
      }
      // GAP: tokens never end.
      if (host.life > 0) {
        ends.set(value.token, Date.now() + host.life * 1000);
        value.expires_at = new Date(Date.now() + (300 + host.life / 4) * 1000).toISOString();
      }
      host.minted.push(value.token);
    },
    // GAP: who made a check run.
    "POST /repos/{owner}/{repo}/check-runs": (run, token) => {
      makers.set(run.id, tokens.get(token).installation.appId);
      ofApp(run);
    },
    "PATCH /repos/{owner}/{repo}/check-runs/{check_run_id}": (run) => ofApp(run),
    "GET /repos/{owner}/{repo}/commits/{ref}/check-runs": (list) => list.check_runs.forEach(ofApp),
    // GAP: where the commit of a run comes from.
    "GET /repos/{owner}/{repo}/actions/runs/{run_id}": (run) => fromHere(run),
    "GET /repos/{owner}/{repo}/actions/workflows/{workflow_id}/runs": (list) => list.workflow_runs.forEach(fromHere),
    // GAP: these are words of the request that adds a collaborator.
    "GET /repos/{owner}/{repo}/collaborators/{username}/permission": (value) => {
      value.permission = { pull: "read", triage: "read", push: "write", maintain: "write" }[value.permission] ?? value.permission;
    },
  };
  const ofApp = (run) => {
    const { app_id, slug, name } = seed.github.apps.find((app) => app.app_id === makers.get(run.id));
    run.app = { id: app_id, slug, name };
  };
  const fromHere = (run) => {
    run.head_repository = structuredClone(run.repository);
  };

  /** One request of the API. */
  async function answer(method, target, headers, bytes) {
    const { pathname } = new URL(target, host.url);
    const path = decodeURI(pathname);
    const body = bytes.length ? JSON.parse(bytes) : undefined;
    const token = (headers.authorization ?? "").replace(/^(Bearer|token) /i, "");
    const no = refused(method, path, token, body);
    if (no) return no;
    const given = Object.fromEntries(["authorization", "content-type", "accept"].map((name) => [name, headers[name]]).filter(([, value]) => value));
    const request = new Request(`${host.url}${target}`, { method, headers: given, body: bytes.length ? bytes : undefined });
    let response = await app.fetch(request);
    const called = endpoint(method, path);
    // GAP: a person without any right is a person all the same.
    if (response.status === 404 && called?.endsWith("/collaborators/{username}/permission")) {
      const user = host.store.users.findOneBy("login", path.split("/").at(-2));
      if (user) response = json({ permission: "none", role_name: "none", user: { login: user.login, id: user.id, type: user.type } });
    }
    if (!(response.headers.get("content-type") ?? "").includes("json")) return response;
    const text = await response.text();
    const back = new Headers(response.headers);
    back.delete("content-length");
    if (!text || !response.ok) return new Response(text || null, { status: response.status, headers: back });
    const value = JSON.parse(text);
    corrections[called]?.(value, token);
    const full = JSON.stringify(value);
    if (method !== "GET") return new Response(full, { status: response.status, headers: back });
    // GAP: `ETag`s.
    const tag = `W/"${createHash("sha256").update(full).digest("hex")}"`;
    back.set("etag", tag);
    const same = headers["if-none-match"] === tag;
    return same ? new Response(null, { status: 304, headers: back }) : new Response(full, { status: response.status, headers: back });
  }

  async function handle(request, response) {
    const parts = [];
    for await (const part of request) parts.push(part);
    const bytes = Buffer.concat(parts);
    const url = new URL(request.url, host.url);
    if (url.pathname.startsWith("/_blob/")) {
      host.records.push({ endpoint: "GET the content of an artifact" });
      if (request.headers.authorization) return response.writeHead(400).end("this host wants no Authorization");
      return response.writeHead(200, { "content-type": "application/zip" }).end(host.artifacts[url.pathname.split("/").pop()]);
    }
    if (/^\/[^/]+\/[^/]+\.git\//.test(url.pathname)) return git(request, response, url, bytes);
    if (!url.pathname.startsWith("/api/v3/")) return response.writeHead(404).end();
    const target = request.url.slice("/api/v3".length);
    await new Promise((done) => setTimeout(done, host.delay));
    const answered = await answer(request.method, target, request.headers, bytes);
    const body = Buffer.from(await answered.arrayBuffer());
    const headers = Object.fromEntries(answered.headers);
    if ((request.headers["user-agent"] ?? "").startsWith("sprag/")) {
      const { pathname } = new URL(target, host.url);
      const { authorization, ...sent } = request.headers;
      host.records.push({
        endpoint: endpoint(request.method, decodeURI(pathname)) ?? `${request.method} ${pathname} (not in the description)`,
        method: request.method, target, headers: sent, body: bytes.toString(), status: answered.status, answer_headers: headers, answer: body.toString(),
      });
    }
    response.writeHead(answered.status, headers).end(body);
  }

  // --- git ------------------------------------------------------------------------------------------------------------------------

  /** Whether a token may read or write the contents of a repository: emulate is asked for something that needs the same permission. */
  async function may(token, repository, write) {
    const body = JSON.stringify({ content: "x", encoding: "utf-8" });
    const path = `/repos/${repository}/${write ? "git/blobs" : "branches"}`;
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    return (await answer(write ? "POST" : "GET", path, headers, Buffer.from(write ? body : ""))).status;
  }

  async function git(request, response, url, bytes) {
    const [, repository] = url.pathname.match(/^\/([^/]+\/[^/]+)\.git\//);
    const [, basic] = (request.headers.authorization ?? "").match(/^Basic (.*)$/) ?? [];
    const token = basic ? Buffer.from(basic, "base64").toString().split(":").slice(1).join(":") : "";
    const pushes = url.pathname.includes("receive-pack") || url.search.includes("receive-pack");
    let status = token ? await may(token, repository, pushes) : 401;
    if (pushes && token && host.refusePushes > 0) {
      host.refusePushes -= 1;
      status = 401;
    }
    // The story's own clones and looks are made by the git program.
    if (!(request.headers["user-agent"] ?? "").match(/^git\/2\.0/)) host.people += 1;
    else host.records.push({ endpoint: `git ${url.pathname.endsWith("/info/refs") ? url.searchParams.get("service").slice(4) + ", refs" : url.pathname.split("/git-").pop()}` });
    if (status === 401) return response.writeHead(401, { "www-authenticate": 'Basic realm="GitHub"' }).end();
    if (status >= 400) return response.writeHead(status === 404 ? 404 : 403).end();
    const input = request.headers["content-encoding"] === "gzip" ? gunzipSync(bytes) : bytes;
    const child = spawn("git", ["http-backend"], {
      env: {
        PATH: process.env.PATH, HOME: folder, GIT_CONFIG_NOSYSTEM: "1", GIT_PROJECT_ROOT: `${folder}/repos`, GIT_HTTP_EXPORT_ALL: "1",
        PATH_INFO: url.pathname, QUERY_STRING: url.search.slice(1), REQUEST_METHOD: request.method, CONTENT_TYPE: request.headers["content-type"] ?? "",
        CONTENT_LENGTH: String(input.length), REMOTE_USER: "x-access-token", REMOTE_ADDR: "127.0.0.1", GIT_PROTOCOL: request.headers["git-protocol"] ?? "",
      },
    });
    child.stdin.on("error", () => {}).end(input);
    const parts = [];
    for await (const part of child.stdout) parts.push(part);
    const output = Buffer.concat(parts);
    const end = output.indexOf("\r\n\r\n");
    const headers = output.subarray(0, end).toString().split("\r\n").map((line) => [line.slice(0, line.indexOf(": ")), line.slice(line.indexOf(": ") + 2)]);
    const code = headers.find(([name]) => name === "Status")?.[1].slice(0, 3) ?? 200;
    if (request.method === "POST" && pushes) {
      host.pushes.push({ token, by: tokens.get(token)?.installation ? "app" : tokens.get(token)?.login });
      mirror(repository, tokens.get(token));
    }
    response.writeHead(Number(code), Object.fromEntries(headers.filter(([name]) => name !== "Status"))).end(output.subarray(end + 4));
  }

  /** GAP: emulate keeps commits of its own and knows no git. After a push it is told what git holds, and what GitHub makes of that. */
  function mirror(repository, pusher) {
    const run = (...args) => execFileSync("git", ["--git-dir", `${folder}/repos/${repository}.git`, ...args], { encoding: "utf8" }).trim();
    const repo = host.repo(repository);
    const of = (collection) => host.store[collection].findBy("repo_id", repo.id);
    const known = new Set(of("commits").map((commit) => commit.sha));
    const fields = run("log", "--all", "--format=%H%x00%T%x00%P%x00%an%x00%ae%x00%aI%x00%cn%x00%ce%x00%cI%x00%s").split("\n").filter(Boolean);
    for (const line of fields) {
      const [sha, tree_sha, parents, author_name, author_email, author_date, committer_name, committer_email, committer_date, message] = line.split("\0");
      if (known.has(sha)) continue;
      const parent_shas = parents.split(" ").filter(Boolean);
      const who = { author_name, author_email, author_date, committer_name, committer_email, committer_date };
      host.store.commits.insert({ repo_id: repo.id, sha, node_id: "C", message, ...who, tree_sha, parent_shas, user_id: null });
    }
    const heads = new Map(run("for-each-ref", "--format=%(refname:lstrip=2) %(objectname)", "refs/heads").split("\n").map((line) => line.split(" ")));
    for (const branch of of("branches").filter((branch) => !heads.has(branch.name))) host.store.branches.delete(branch.id);
    for (const [name, sha] of heads) {
      const branch = of("branches").find((branch) => branch.name === name);
      if (branch) host.store.branches.update(branch.id, { sha });
      else host.store.branches.insert({ repo_id: repo.id, name, sha, protected: false });
    }
    for (const pull of of("pullRequests").filter((pull) => pull.state === "open")) {
      const [head, base] = [heads.get(pull.head_ref) ?? pull.head_sha, heads.get(pull.base_ref)];
      if (head !== pull.head_sha) host.store.pullRequests.update(pull.id, { head_sha: head });
      const reached = base && run("merge-base", head, base) === head;
      if (reached) settle(repo, pull, base, pusher);
    }
  }

  /** What GitHub does once the head of a pull request is part of its base: it is merged, and the issues that it closes are closed. */
  function settle(repo, pull, commit, pusher) {
    const now = new Date().toISOString();
    const by = host.store.users.findOneBy("login", pusher.login)?.id ?? null;
    const closed = { state: "closed", closed_at: now, closed_by_id: by };
    host.store.pullRequests.update(pull.id, { merged: true, merged_at: now, merged_by_id: by, merge_commit_sha: commit, state: "closed", closed_at: now, mergeable: null });
    const numbers = [pull.number, ...[...(pull.body ?? "").matchAll(/^(?:closes|fixes|resolves) #(\d+)/gim)].map(([, number]) => Number(number))];
    for (const number of numbers) {
      const issue = host.store.issues.findBy("repo_id", repo.id).find((issue) => issue.number === number);
      if (issue?.state === "open") host.store.issues.update(issue.id, { ...closed, state_reason: "completed" });
    }
  }

  return host;
}
