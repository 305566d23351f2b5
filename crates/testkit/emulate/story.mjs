// Plays sprag's story with the real program against a GitHub that nobody here wrote, and checks what a person would see.
// usage: node story.mjs SPRAG PROJECT DESCRIPTION FOLDER
// (FOLDER is empty but for the keys app.pem, job.pem and wrong.pem; the requests of sprag are left there as requests.jsonl)
import crypto from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { start } from "./host.mjs";
import { artifact, failures, git, listener, person, run } from "./play.mjs";

const [sprag, assets, description, folder] = process.argv.slice(2).map((name) => path.resolve(name));
let REPO = "acme/helpdesk";
let R = `/repos/${REPO}`;
let BOT = "sprag-test[bot]";
const [ALICE, BOB] = ["ghp_alice", "ghp_bob"];

// --- Checks ---------------------------------------------------------------------------------------------------------------------------

const checks = [];
let chapter = "";
function begin(title) {
  chapter = title;
  console.log(`\n${title}`);
}
function check(what, holds, detail = "") {
  checks.push({ chapter, what, holds: Boolean(holds) });
  const more = holds || detail === "" ? "" : `\n       ${String(typeof detail === "string" ? detail : JSON.stringify(detail)).trimEnd().replaceAll("\n", "\n       ")}`;
  console.log(`  ${holds ? "ok " : "BAD"} ${what}${more}`);
}

// --- The scene ------------------------------------------------------------------------------------------------------------------------

const key = (name) => fs.readFileSync(path.join(folder, name), "utf8");
const permissions = { contents: "write", issues: "write", pull_requests: "write", checks: "write", actions: "read", metadata: "read" };
const seed = {
  tokens: { [ALICE]: { login: "alice", scopes: ["repo", "workflow"] }, [BOB]: { login: "bob", scopes: ["repo"] } },
  github: {
    users: [{ login: "alice", name: "Alice", email: "alice@example.com" }, { login: "bob", name: "Bob", email: "bob@example.com" }],
    orgs: [{ login: "acme", name: "Acme", members: [{ login: "alice", role: "admin" }] }],
    repos: [{ owner: "acme", name: "helpdesk", private: true }, { owner: "acme", name: "second", private: true }],
    // The second one is GitHub's own, which jobs have their `GITHUB_TOKEN` of.
    apps: [[12345, "sprag-test", "app.pem", 100], [15368, "github-actions", "job.pem", 101]].map(([app_id, slug, file, installation_id]) => ({
      app_id, slug, name: slug, private_key: key(file), permissions, events: [],
      installations: [{ installation_id, account: "acme", repository_selection: "all", permissions }],
    })),
  },
};
const host = await start({ folder, seed, description });
const [alice, bob] = [person(host, ALICE), person(host, BOB)];
const remote = () => `${host.url}/${REPO}.git`;
const said = [];
let jobs = 0;

/** A job of a workflow: a fresh checkout of the default branch, and sprag in it. */
async function job(args, { event, env = {}, at = "main" } = {}) {
  const number = ++jobs;
  const place = path.join(folder, `job-${number}`);
  await git(folder, ALICE, "clone", "-q", "--depth=1", `--branch=${at}`, remote(), place);
  const environment = {
    PATH: process.env.PATH, HOME: folder, GITHUB_ACTIONS: "true", GITHUB_REPOSITORY: REPO, GITHUB_API_URL: host.api, GITHUB_SERVER_URL: host.url,
    GITHUB_RUN_ID: String(1000 + number), GITHUB_OUTPUT: path.join(folder, `output-${number}`), GITHUB_STEP_SUMMARY: path.join(folder, `summary-${number}`),
    SPRAG_APP_ID: "12345", SPRAG_APP_PRIVATE_KEY: key("app.pem"), SPRAG_PACE: "0", ...env,
  };
  if (event) {
    environment.GITHUB_EVENT_NAME = event.event;
    environment.GITHUB_EVENT_PATH = path.join(folder, `event-${number}.json`);
    fs.writeFileSync(environment.GITHUB_EVENT_PATH, JSON.stringify(event.payload));
  }
  const began = host.records.length;
  const done = await run(sprag, args, { cwd: place, env: environment });
  said.push({ number, args, ...done });
  const written = (name) => (fs.existsSync(environment[name]) ? fs.readFileSync(environment[name], "utf8") : "");
  const [summary, output] = [written("GITHUB_STEP_SUMMARY"), written("GITHUB_OUTPUT")];
  const lines = done.out.trim().split("\n");
  let json;
  try {
    json = JSON.parse(lines.at(-1));
  } catch {
    // It printed text.
  }
  return { ...done, json, summary, output, all: `${done.out}\n${done.err}`, requests: host.records.slice(began) };
}

const comments = (number) => alice("GET", `${R}/issues/${number}/comments?per_page=100`);
const ours = async (number) => (await comments(number)).filter((comment) => comment.user.login === BOT);
const sticky = async (number) => (await ours(number)).filter((comment) => comment.body.includes("<!-- sprag:issue"));
const issue = (number) => alice("GET", `${R}/issues/${number}`);
const labels = (issue) => issue.labels.map((label) => label.name);
const everyIssue = () => alice("GET", `${R}/issues?state=all&per_page=100`);
const everyPull = () => alice("GET", `${R}/pulls?state=all&per_page=100`);
const checksOf = async (sha) => (await alice("GET", `${R}/commits/${sha}/check-runs?filter=all`)).check_runs;
const head = async (branch) => (await git(folder, ALICE, "ls-remote", remote(), `refs/heads/${branch}`)).slice(0, 40);
const dashboards = async () => (await everyIssue()).filter((issue) => issue.body?.includes("<!-- sprag:dashboard") && issue.user.login === BOT);
const changes = (records) => records.filter((record) => record.method && !["GET"].includes(record.method) && !record.endpoint.includes("access_tokens"));

/** Everything that must be there once only, as a person counts it. */
async function doubles() {
  const found = [];
  const twice = (what, keys) => {
    const seen = new Set();
    for (const key of keys) seen.has(key) ? found.push(`${what}: ${key}`) : seen.add(key);
  };
  for (const { number, labels } of await everyIssue()) {
    twice(`comment on #${number}`, (await ours(number)).map((comment) => comment.body.match(/<!-- sprag:\w+( reply=\S+| \w+=\d+)?/)?.[0] ?? comment.body));
    twice(`label of #${number}`, labels.map((label) => label.name));
  }
  twice("dashboard", (await dashboards()).map(() => "one"));
  const pulls = await everyPull();
  twice("open pull request", pulls.filter((pull) => pull.state === "open").map((pull) => pull.head.ref));
  for (const { head } of pulls) twice("check run", (await checksOf(head.sha)).map((run) => `${run.head_sha} ${run.name} ${run.external_id}`));
  twice("label", (await alice("GET", `${R}/labels?per_page=100`)).map((label) => label.name.toLowerCase()));
  return found;
}

async function opens(title, body, label = alice) {
  const { number } = await bob("POST", `${R}/issues`, { title, body });
  if (label) await label("POST", `${R}/issues/${number}/labels`, { labels: ["agent-failure"] });
  return number;
}
const fenced = ({ task, passed, trace }) => `Seen this morning.\n\n\`\`\`json\n${JSON.stringify({ task, passed, trace })}\n\`\`\`\n`;
/** Times of GitHub are whole seconds, and two things in one second are not told apart. */
const aSecond = () => new Promise((done) => setTimeout(done, 1100));

// --- The project ----------------------------------------------------------------------------------------------------------------------

const project = path.join(folder, "project");
fs.cpSync(path.join(assets, "helpdesk"), project, { recursive: true });
const workflows = path.join(project, ".github/workflows");
fs.mkdirSync(workflows, { recursive: true });
for (const name of ["sprag.yml", "sprag-gate.yml"]) fs.copyFileSync(path.join(assets, "github", name), path.join(workflows, name));
fs.writeFileSync(path.join(workflows, "nightly.yml"), "on: { schedule: [{ cron: '0 3 * * *' }] }\njobs: {}\n");
fs.appendFileSync(path.join(project, "sprag.toml"), '\n[signals]\nartifacts = ["agent-traces*"]\nworkflows = ["nightly.yml"]\n');
await git(project, ALICE, "init", "-q", "-b", "main");
await git(project, ALICE, "add", "-A");
await git(project, ALICE, "commit", "-qm", "Begin");
/** Fills a repository, as its team would before it installs sprag. */
async function fill() {
  const bare = path.join(folder, "repos", `${REPO}.git`);
  fs.mkdirSync(bare, { recursive: true });
  await git(bare, ALICE, "init", "-q", "--bare", "-b", "main");
  for (const what of ["uploadpack.allowAnySHA1InWant", "uploadpack.allowFilter"]) await git(bare, ALICE, "config", what, "true");
  await git(project, ALICE, "push", "-q", remote(), "main");
  await alice("PUT", `${R}/collaborators/bob`, { permission: "pull" });
  await alice("POST", `${R}/labels`, { name: "agent-failure", color: "d73a4a", description: "The agent did something wrong" });
}
await fill();
const hooks = await listener();
await alice("POST", `${R}/hooks`, { name: "web", active: true, events: ["*"], config: { url: hooks.url, content_type: "json" } });
const event = (name, action) => hooks.heard.filter((one) => one.event === name && one.payload.action === action).at(-1);
const failed = await failures(sprag, project);
const wanting = (action) => failed.filter((one) => one.actions.length === 1 && one.actions[0] === action);

// --- Who sprag is ---------------------------------------------------------------------------------------------------------------------

begin("Who sprag is");
{
  const wrong = await job(["doctor"], { env: { SPRAG_APP_PRIVATE_KEY: key("wrong.pem") } });
  check("a key that is not the App's: doctor says that GitHub does not take it", wrong.code === 3 && /bad +token/.test(wrong.out), wrong.all);
  const bogus = await job(["sync"], { env: { SPRAG_APP_ID: "", SPRAG_APP_PRIVATE_KEY: "", GITHUB_TOKEN: `ghs_${"x".repeat(36)}` } });
  check("a token that nobody knows: sync stops, says so, and changes nothing", bogus.code !== 0 && /401|not accepted|Bad credentials/.test(bogus.err) && changes(bogus.requests).length === 0, bogus.all);
  const doctor = await job(["doctor"]);
  check("doctor finds nothing broken", doctor.code === 0 && /nothing is broken/.test(doctor.out), doctor.all);
  check("doctor sees that the App has every permission", /ok +permissions +all that sprag needs/.test(doctor.out), doctor.out);
  check("doctor misses the gates in the branch protection", /warn +protection/.test(doctor.out), doctor.out);
  const contexts = ["sprag / regression", "sprag / validation"];
  const rules = { required_status_checks: { strict: false, contexts }, enforce_admins: false, required_pull_request_reviews: null, restrictions: null };
  await alice("PUT", `${R}/branches/main/protection`, rules);
  const again = await job(["doctor"]);
  check("once they are required, doctor sees that too", /ok +protection +`main` asks for both gates/.test(again.out), again.out);
}

// --- Signals --------------------------------------------------------------------------------------------------------------------------

begin("From failures to answers");
const [held, late] = wanting("hold_order");
const returned = wanting("settle_return")[0];
const first = await opens("It sent a parcel to nowhere", fenced(held));
const second = await opens("The lamp came back, the money did not", fenced(returned));
const bare_word = await opens("It is rude", "It just is.");
const unlabelled = await opens("By the way", fenced(late), null);
const unasked = await opens("Look at this", fenced(late), bob);
/** A finished run of a workflow with artifacts: emulate takes them only from its own store. */
async function finishes(file, artifacts) {
  const { id: repo_id } = host.repo(REPO);
  const now = new Date().toISOString();
  const about = { node_id: "N", repo_id, name: file, head_branch: "main", head_sha: await head("main") };
  const workflow = host.store.workflows.insert({ ...about, path: `.github/workflows/${file}`, state: "active", badge_url: "" });
  const ended = { event: "schedule", status: "completed", conclusion: "failure", actor_id: 1, run_attempt: 1, run_number: 1, run_started_at: now };
  const done = host.store.workflowRuns.insert({ ...about, ...ended, workflow_id: workflow.id });
  for (const [name, failures, expired] of artifacts) {
    const text = failures.map((one) => JSON.stringify(one)).join("\n");
    const zip = await artifact(path.join(folder, `upload-${name}`), "runs/all.jsonl", text);
    const row = host.store.artifacts.insert({ node_id: "A", run_id: done.id, repo_id, name, size_in_bytes: zip.length, expired, expires_at: now });
    host.artifacts[row.id] = zip;
  }
  return done.id;
}
const cancelled = wanting("cancel_order");
await finishes("nightly.yml", [["agent-traces", cancelled, false], ["agent-traces-old", cancelled, true], ["logs", cancelled, false]]);
const manual = await finishes("manual.yml", [["agent-traces-by-hand", wanting("transfer_to_human").slice(0, 1), false]]);
const linked = await opens("A run that went wrong", `Look at ${host.url}/${REPO}/actions/runs/${manual}.`);
await aSecond();
{
  host.refusePushes = 1;
  const refused = await job(["sync", "--json"], { event: event("issues", "labeled") });
  check("a push with a token that has just ended: sync stops and says what to do", refused.code !== 0 && /the token is not accepted/.test(refused.err), refused.all);
  check("nothing was answered that is not in the state", (await ours(first)).length === 0);
}
const sync = await job(["sync", "--json"], { event: event("issues", "labeled") });
check("sync reads five issues and two artifacts, one of which has expired", sync.json?.issues === 5 && sync.json?.artifacts === 2 && sync.json?.failures === 5, sync.all);
check("git holds the branch sprag/state, pushed by the App", (await head("sprag/state")) !== "" && host.pushes.at(-1).by === "app");
check("the zip was got without a token at the other host", sync.requests.some((record) => record.endpoint === "GET the content of an artifact"));
for (const number of [first, second]) {
  const [comment, ...more] = await sticky(number);
  check(`#${number} has one comment, with the root cause`, comment && more.length === 0 && /never called `(hold_order|settle_return)`/.test(comment.body), comment?.body);
  check(`#${number} is labelled as mined`, labels(await issue(number)).includes("sprag: mined"), labels(await issue(number)));
}
check("an issue without a trace is asked for one", labels(await issue(bare_word)).includes("sprag: needs-trace") && (await sticky(bare_word)).length === 1);
check("an issue without the label is left alone", (await comments(unlabelled)).length === 0);
check("a run that an issue links to is read", labels(await issue(linked)).includes("sprag: mined") && /never called `transfer_to_human`/.test((await sticky(linked))[0]?.body), (await sticky(linked))[0]?.body);
check("the label of somebody without triage rights does not count, and sprag says so", /has no triage rights here/.test((await sticky(unasked))[0]?.body) && !labels(await issue(unasked)).includes("sprag: mined"), await comments(unasked));
check("there is one dashboard", (await dashboards()).length === 1);
{
  await aSecond();
  const quiet = await job(["sync", "--json"]);
  check("a second sync changes nothing on GitHub", changes(quiet.requests).length === 0 && quiet.json?.answered === 0, changes(quiet.requests).map((record) => `${record.endpoint} ${record.body.slice(0, 300)}`).join("\n"));
}

begin("Two jobs at once");
{
  const numbers = [];
  for (const one of failed.slice(-3)) numbers.push(await opens(`It failed at ${one.task}`, fenced(one)));
  await aSecond();
  const raced = await Promise.all([job(["sync", "--json"]), job(["sync", "--json"]), job(["sync", "--json"])]);
  check("all of them end well", raced.every((one) => one.code === 0), raced.map((one) => one.all).join("\n"));
  await aSecond();
  const last = await job(["sync", "--json"]);
  for (const number of numbers) check(`#${number} has one comment`, (await sticky(number)).length === 1, await sticky(number));
  check("nothing is there twice", last.code === 0 && (await doubles()).length === 0, await doubles());
}

// --- The loop -------------------------------------------------------------------------------------------------------------------------

begin("From a cluster to a pull request");
const ran = await job(["run", "--batches", "2", "--json"]);
check("run ends well", ran.code === 0, ran.all);
const pulls = (await everyPull()).filter((pull) => pull.user.login === BOT);
check("it opened a pull request", pulls.length > 0, ran.all);
for (const pull of pulls) {
  const on = `#${pull.number}`;
  check(`${on} comes from its cluster's branch, which git holds`, /^sprag\/c-/.test(pull.head.ref) && (await head(pull.head.ref)) === pull.head.sha, pull.head);
  const seen = (await checksOf(pull.head.sha)).map((run) => `${run.name}: ${run.status}, ${run.conclusion}`).sort();
  check(`${on} has two check runs`, seen.length === 2 && /^sprag \/ regression: completed/.test(seen[0]) && /^sprag \/ validation: completed, success/.test(seen[1]), seen);
  check(`${on} has its label`, labels({ labels: await alice("GET", `${R}/issues/${pull.number}/labels`) }).includes("sprag"));
  check(`${on} says what failed and shows the gates`, /## What failed/.test(pull.body) && /\| validation set \|/.test(pull.body));
}
const newest = Math.max(...pulls.map((pull) => pull.number));
check("the newest pull request and its checks are handed to the steps that follow", ran.output.includes(`/pull/${newest}\n`) && /validation<<[^\n]*\nsuccess/.test(ran.output), ran.output);
check("the job has a summary", ran.summary.length > 0);
check("nothing is there twice", (await doubles()).length === 0, await doubles());

// --- Tokens of 2026 -------------------------------------------------------------------------------------------------------------------

begin("With tokens in their new form");
{
  host.stateless = true;
  const before = host.pushes.length;
  const again = await job(["run", "--batches", "1", "--json"]);
  const token = host.minted.at(-1);
  check("the token has 520 characters, with dots", token.length === 520 && token.split(".").length === 3, token.length);
  check("a run and its pushes work with it", again.code === 0 && host.pushes.length > before && host.pushes.at(-1).token === token, again.all);
  check("nothing is there twice", (await doubles()).length === 0, await doubles());
}

begin("A job that outlives its token");
{
  Object.assign(host, { life: 8, delay: 250 });
  const [began, before] = [Date.now(), host.minted.length];
  const long = await job(["run", "--batches", "1", "--json"]);
  Object.assign(host, { life: 0, delay: 0 });
  check("it lasted longer than a token", Date.now() - began > 8000 && host.minted.length - before > 2, Date.now() - began);
  check("it ends well", long.code === 0, long.all);
  check("nothing is there twice", (await doubles()).length === 0, await doubles());
}

// --- Merge, recurrence ----------------------------------------------------------------------------------------------------------------

begin("Merged, and failed again");
const closes = (pull) => Number(pull.body.match(/^Closes #(\d+)/m)?.[1]);
const merge = (await everyPull()).find((pull) => pull.user.login === BOT && pull.state === "open" && pull.base.ref === "main" && closes(pull));
if (!merge) throw new Error("no open pull request closes an issue; the story cannot go on");
const about = closes(merge);
const [, action] = (await sticky(about))[0].body.match(/never called `(\w+)`/);
const work = path.join(folder, "work");
await git(folder, ALICE, "clone", "-q", remote(), work);
await git(work, ALICE, "merge", "-q", "--no-ff", "-m", `Merge pull request #${merge.number}`, `origin/${merge.head.ref}`);
await git(work, ALICE, "push", "-q", "origin", "main");
check(`#${merge.number} is merged`, (await alice("GET", `${R}/pulls/${merge.number}`)).merged);
await aSecond();
const merged = await job(["sync", "--json"], { event: event("push", undefined) });
check("sync settles it", merged.json?.settled === 1, merged.all);
check(`#${about} is closed, and its comment says by what`, (await issue(about)).state === "closed" && /Resolved by #/.test((await sticky(about))[0].body), (await sticky(about))[0]?.body);
{
  const closed = (await everyIssue()).filter((issue) => issue.state === "closed" && labels(issue).includes("agent-failure"));
  const said = await Promise.all(closed.map(async ({ number }) => (await sticky(number))[0]?.body ?? ""));
  check("no issue is closed of which something is left to resolve", said.every((body) => /Resolved by #/.test(body)), said.map((body) => body.slice(0, 300)).join("\n"));
}
const cluster = merge.head.ref.slice("sprag/".length);
check("the dashboard lists the cluster as resolved", new RegExp(`\`${cluster}\`: resolved by #${merge.number}`).test((await dashboards())[0].body), (await dashboards())[0].body);
check("the suite came with the merge", fs.existsSync(path.join(work, ".sprag/suite")) && fs.readdirSync(path.join(work, ".sprag/suite")).length > 0);
const another = await opens("And again", fenced({ ...wanting(action)[0], task: "seen-in-production" }));
await aSecond();
await alice("POST", `${R}/issues/${about}/comments`, { body: "/sprag status" });
await bob("POST", `${R}/issues/${about}/comments`, { body: "/sprag run" });
await alice("POST", `${R}/issues/${about}/comments`, { body: "/sprag ignroe" });
await aSecond();
const back = await job(["sync", "--json"], { event: event("issue_comment", "created") });
check("sync reads the new issue and hears the commands", back.json?.issues >= 1 && back.json?.commands === 3, back.all);
check(`#${about} is open again, and its comment says so`, (await issue(about)).state === "open" && /again|reopen/i.test((await sticky(about))[0].body), (await sticky(about))[0]?.body);
check("the dashboard lists the cluster as reopened", new RegExp(`\`${cluster}\`.*reopened`).test((await dashboards())[0].body), (await dashboards())[0].body);
check("the new issue has its comment", (await sticky(another)).length === 1);
{
  const commands = (await comments(about)).filter((comment) => comment.body.startsWith("/sprag")).slice(-3);
  const [status, denied, typo] = commands.map((command) => host.reactions.filter((one) => one.comment === command.id).map((one) => one.content));
  check("/sprag status is seen and done", status.includes("eyes") && status.includes("+1"), status);
  check("/sprag run of somebody without write access is refused", denied.includes("-1"), denied);
  check("/sprag ignroe is refused, and answered with what was meant", typo.includes("-1") && (await ours(about)).some((comment) => /ignore/.test(comment.body)), typo);
}
check("nothing is there twice", (await doubles()).length === 0, await doubles());

begin("Rejected by a person");
{
  const open = (await everyPull()).find((pull) => pull.user.login === BOT && pull.state === "open");
  await alice("POST", `${R}/issues/${open.number}/comments`, { body: "/sprag reject It holds parcels that should go out" });
  await aSecond();
  const rejected = await job(["sync", "--json"]);
  check(`#${open.number} is closed, unmerged`, (await alice("GET", `${R}/pulls/${open.number}`)).state === "closed", rejected.all);
  await aSecond();
  const quiet = await job(["sync", "--json"]);
  check("a sync later finds nothing to do", changes(quiet.requests).length === 0, changes(quiet.requests).map((record) => `${record.endpoint} ${record.body.slice(0, 300)}`).join("\n"));
}

// --- Everybody's pull requests --------------------------------------------------------------------------------------------------------

begin("The gate on a person's pull request");
async function proposes(branch, change) {
  await git(work, ALICE, "checkout", "-q", "-b", branch, "main");
  change();
  await git(work, ALICE, "commit", "-qam", branch);
  await git(work, ALICE, "push", "-q", "origin", branch);
  const pull = await alice("POST", `${R}/pulls`, { title: branch, head: branch, base: "main", body: "" });
  await new Promise((done) => setTimeout(done, 200));
  return pull;
}
for (const [branch, change, expected, code] of [
  ["readme", () => fs.appendFileSync(path.join(work, "README.md"), "\nHello.\n"), "skipped", 0],
  ["worse", () => fs.writeFileSync(path.join(work, "agent/playbook.toml"), "rounds = 1\n"), "rejected", 5],
]) {
  const pull = await proposes(branch, change);
  const told = event("pull_request", "opened");
  check(`${branch}: emulate's own event names the pull request`, told?.payload.pull_request.number === pull.number);
  const gate = await job(["gate", "--json"], { event: told });
  check(`${branch}: ${expected}`, gate.json?.verdict === expected && gate.code === code, gate.all);
  const seen = (await checksOf(pull.head.sha)).map((run) => `${run.name}: ${run.conclusion}`).sort();
  check(`${branch}: two check runs, completed`, seen.length === 2 && seen.every((line) => !line.endsWith("null")), seen);
  const again = await job(["gate", "--json"], { event: told });
  check(`${branch}: measured again, the same verdict and no more check runs`, again.json?.verdict === expected && (await checksOf(pull.head.sha)).length === 2, again.all);
}

{
  const pull = (await everyPull()).find((pull) => pull.title === "worse");
  await alice("POST", `${R}/issues/${pull.number}/comments`, { body: "/sprag gate" });
  await new Promise((done) => setTimeout(done, 200));
  const told = event("issue_comment", "created");
  // GAP: emulate does not say that the issue of a comment is a pull request.
  told.payload.issue.pull_request = { url: pull.url };
  const gate = await job(["gate", "--json"], { event: told });
  check("a maintainer's comment asks for it again: the same verdict", gate.json?.verdict === "rejected" && (await checksOf(pull.head.sha)).length === 2, gate.all);
  await bob("POST", `${R}/forks`, {});
  await bob("POST", `${R}/pulls`, { title: "from a fork", head: "bob:main", base: "main", body: "" });
  await new Promise((done) => setTimeout(done, 200));
  const fork = await job(["gate", "--json"], { event: event("pull_request", "opened") });
  check("a fork is not measured, and the summary says what helps", fork.json?.verdict === "skipped" && fork.code === 0 && /sprag gate/.test(fork.summary) && changes(fork.requests).length === 0, fork.all);
}

// --- Once more ------------------------------------------------------------------------------------------------------------------------

begin("Everything once more");
await aSecond();
await job(["sync", "--json"]);
{
  const quiet = await job(["sync", "--json"]);
  check("nothing is left to change on GitHub", quiet.code === 0 && changes(quiet.requests).length === 0, changes(quiet.requests).map((record) => `${record.endpoint} ${record.body.slice(0, 300)}`).join("\n") || quiet.all);
  check("and nothing is read anew", quiet.json?.issues === 0 && quiet.json?.commands === 0, quiet.all);
  check("nothing is there twice", (await doubles()).length === 0, await doubles());
}
begin("With the job's own token");
REPO = "acme/second";
R = `/repos/${REPO}`;
BOT = "github-actions[bot]";
await fill();
{
  const now = Math.floor(Date.now() / 1000);
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const claims = `${part({ alg: "RS256", typ: "JWT" })}.${part({ iat: now - 60, exp: now + 300, iss: "15368" })}`;
  const jwt = `${claims}.${crypto.sign("sha256", Buffer.from(claims), key("job.pem")).toString("base64url")}`;
  const { token } = await person(host, jwt)("POST", "/app/installations/101/access_tokens", { repositories: ["second"] });
  const env = { SPRAG_APP_ID: "", SPRAG_APP_PRIVATE_KEY: "", GITHUB_TOKEN: token };
  const doctor = await job(["doctor"], { env });
  check("doctor finds nothing broken", doctor.code === 0, doctor.all);
  const number = await opens("It sent a parcel to nowhere", fenced(held));
  await aSecond();
  const done = await job(["run", "--json"], { env });
  check("run ends well", done.code === 0, done.all);
  const [comment, ...more] = await sticky(number);
  check("the issue has its one comment", comment && more.length === 0);
  const pulls = (await everyPull()).filter((pull) => pull.user.login === BOT);
  check("there is a pull request with two check runs", pulls.length === 1 && (await checksOf(pulls[0].head.sha)).length === 2, done.all);
  await aSecond();
  const quiet = await job(["sync", "--json"], { env });
  check("a sync later finds nothing to do", changes(quiet.requests).length === 0, changes(quiet.requests).map((record) => record.endpoint).join("\n"));
  check("nothing is there twice", (await doubles()).length === 0, await doubles());

  begin("More than a page");
  const many = 120;
  for (let n = 0; n < many; n += 1) await opens(`It is rude, ${n}`, "It just is.");
  await aSecond();
  const asked = host.records.filter((record) => record.target?.includes("&page=2")).length;
  const all = await job(["sync", "--json"], { env });
  check(`sync reads ${many} issues, from two pages of emulate's list`, all.json?.issues === many && host.records.filter((record) => record.target?.includes("&page=2")).length > asked, all.all);
  const later = (await alice("GET", `${R}/issues?state=all&labels=${encodeURIComponent("sprag: needs-trace")}&per_page=100&page=2`)).length;
  check("each has its label, also those of the second page", later === many - 100, later);
  await aSecond();
  const still = await job(["sync", "--json"], { env });
  check("a sync later finds nothing to do", changes(still.requests).length === 0, changes(still.requests).map((record) => record.endpoint).join("\n"));
}

begin("At the end");
const secrets = [...host.minted, ...key("app.pem").split("\n").filter((line) => line.length > 40 && !line.startsWith("-"))];
const leaks = said.filter(({ out, err }) => secrets.some((secret) => `${out}${err}`.replaceAll(/^::add-mask::.*$/gm, "").includes(secret)));
check("no token and no key was ever printed", leaks.length === 0, leaks.map(({ args }) => args.join(" ")));
check("GitHub's stand-in had no trouble itself", !host.trouble, host.trouble?.stack);

// --- The table ------------------------------------------------------------------------------------------------------------------------

const spoken = host.records.filter((record) => record.method);
fs.writeFileSync(path.join(folder, "requests.jsonl"), spoken.map((record) => `${JSON.stringify(record)}\n`).join(""));
const counts = new Map();
for (const { endpoint, status } of host.records) {
  const row = counts.get(endpoint) ?? { all: 0, unchanged: 0, refused: 0 };
  row.all += 1;
  row.unchanged += status === 304 ? 1 : 0;
  row.refused += status >= 400 ? 1 : 0;
  counts.set(endpoint, row);
}
console.log("\nrequests  304  4xx  endpoint");
for (const [endpoint, row] of [...counts].sort(([one], [other]) => (one.split(" ")[1] < other.split(" ")[1] ? -1 : 1))) {
  console.log(`${String(row.all).padStart(8)}${String(row.unchanged || "").padStart(5)}${String(row.refused || "").padStart(5)}  ${endpoint}`);
}
const bad = checks.filter((one) => !one.holds);
console.log(`\n${jobs} jobs, ${spoken.length} API requests to ${[...counts.keys()].filter((name) => /^[A-Z]+ \//.test(name)).length} endpoints, ${host.pushes.length} pushes`);
for (const { chapter, what } of bad) console.log(`BAD ${chapter}: ${what}`);
console.log(`${checks.length - bad.length} of ${checks.length} checks hold`);
hooks.close();
await host.close();
process.exit(bad.length === 0 ? 0 : 1);
