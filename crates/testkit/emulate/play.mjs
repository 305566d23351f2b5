// What the story needs around GitHub: the people, the workflow's job that calls sprag, the worker that fails, and a zip as GitHub makes them.
import { execFile, spawn } from "node:child_process";
import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import readline from "node:readline";

/** Runs a program to its end. */
export function run(program, args, options = {}) {
  return new Promise((done) => {
    const child = execFile(program, args, { timeout: 180_000, maxBuffer: 64 << 20, ...options }, (error, out, err) =>
      done({ code: error ? (error.code ?? 1) : 0, out, err }),
    );
    child.stdin.end();
  });
}

/** git, as a person with a token calls it; free of this machine's configuration. */
export async function git(folder, token, ...args) {
  const header = `http.extraHeader=Authorization: Basic ${Buffer.from(`x-access-token:${token}`).toString("base64")}`;
  const who = ["-c", "user.name=Alice", "-c", "user.email=alice@example.com", "-c", "commit.gpgsign=false", "-c", "protocol.file.allow=never"];
  const env = { PATH: process.env.PATH, HOME: folder, GIT_CONFIG_NOSYSTEM: "1", GIT_TERMINAL_PROMPT: "0" };
  const { code, out, err } = await run("git", [...who, "-c", header, ...args], { cwd: folder, env });
  if (code !== 0) throw new Error(`git ${args.join(" ")}: ${err}`);
  return out.trim();
}

/** The API, as a person with a token calls it. */
export const person = (host, token) => async (method, target, body) => {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json", "user-agent": "a person" };
  const response = await fetch(host.api + target, { method, headers, body: body && JSON.stringify(body) });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${target}: ${response.status} ${text}`);
  return text ? JSON.parse(text) : undefined;
};

/** The failed runs of the train tasks, as the worker tells them: `{task, passed, trace, actions}`. */
export async function failures(sprag, project) {
  const worker = spawn(sprag, ["helpdesk-worker"], { cwd: project, stdio: ["pipe", "pipe", "inherit"] });
  const say = (message) => worker.stdin.write(`${JSON.stringify(message)}\n`);
  const lines = readline.createInterface({ input: worker.stdout });
  const failed = [];
  let tasks = [];
  let open = 0;
  say({ type: "hello", protocol: 1 });
  say({ type: "list", split: "train" });
  for await (const line of lines) {
    const message = JSON.parse(line);
    if (message.type === "tasks") {
      tasks = message.ids;
      open = tasks.length;
      tasks.forEach((task, at) => say({ type: "run", id: `r${at}`, task, trial: 0, seed: 7, trace: true }));
    }
    if (message.type !== "result") continue;
    const { passed, trace } = message;
    const actions = (trace?.expected?.actions ?? []).map((action) => action.name);
    if (passed === false) failed.push({ task: tasks[Number(message.id.slice(1))], passed, trace, actions });
    if (--open === 0) {
      say({ type: "shutdown" });
      worker.stdin.end();
    }
  }
  return failed;
}

/** A zip with one file, made by the code of GitHub's own package for artifacts. */
export async function artifact(folder, name, text) {
  const upload = new URL("./node_modules/@actions/artifact/lib/internal/upload/", import.meta.url);
  const { createZipUploadStream } = await import(new URL("zip.js", upload));
  const { getUploadZipSpecification } = await import(new URL("upload-zip-specification.js", upload));
  fs.mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
  const root = fs.realpathSync(folder);
  fs.writeFileSync(path.join(root, name), text);
  const parts = [];
  // The package tells what it does on standard output.
  const log = console.log;
  console.log = () => {};
  const write = process.stdout.write;
  process.stdout.write = () => true;
  try {
    const stream = await createZipUploadStream(getUploadZipSpecification([path.join(root, name)], root), 6);
    for await (const part of stream) parts.push(part);
  } finally {
    [console.log, process.stdout.write] = [log, write];
  }
  return Buffer.concat(parts);
}

/** Hears emulate's webhooks: what a workflow would find in its event file. */
export async function listener() {
  const heard = [];
  const server = http.createServer(async (request, response) => {
    const parts = [];
    for await (const part of request) parts.push(part);
    heard.push({ event: request.headers["x-github-event"], payload: JSON.parse(Buffer.concat(parts)) });
    response.end();
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return { heard, url: `http://127.0.0.1:${server.address().port}/`, close: () => server.close().closeAllConnections() };
}
