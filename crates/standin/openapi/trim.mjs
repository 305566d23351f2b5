// Cuts GitHub's OpenAPI description down to the endpoints that sprag uses. Needs nothing but Node:
//
//     cd <a temporary folder> && npm install --ignore-scripts @octokit/openapi@23.0.2
//     node <here>/trim.mjs <the temporary folder>/node_modules/@octokit/openapi/generated/api.github.com.json
//
// Writes github.json beside itself, one path or component a line, so that a diff of two versions can be read.

import { readFileSync, writeFileSync } from "node:fs";

const here = (name) => new URL(name, import.meta.url);
const description = JSON.parse(readFileSync(process.argv[2], "utf8"));
const endpoints = readFileSync(here("endpoints.txt"), "utf8")
  .split("\n")
  .filter((line) => line && !line.startsWith("#"))
  .map((line) => line.split(" "));

// Words for people, and what belongs to GitHub's own documentation.
const dropped = new Set(["summary", "externalDocs", "example", "examples", "x-github", "x-octokit", "tags", "operationId"]);

/** A copy without prose; `names` are keys that the user of a schema chose, such as those of `properties`. */
function lean(value, names = false) {
  if (Array.isArray(value)) return value.map((item) => lean(item));
  if (value === null || typeof value !== "object") return value;
  const kept = Object.entries(value).filter(
    ([key, item]) => names || !(dropped.has(key) || (key === "description" && typeof item === "string")),
  );
  return Object.fromEntries(kept.map(([key, item]) => [key, lean(item, !names && key === "properties")]));
}

const paths = {};
for (const [method, path] of endpoints) {
  const operation = description.paths[path]?.[method.toLowerCase()];
  if (!operation) throw new Error(`the description has no ${method} ${path}`);
  paths[path] ??= {};
  paths[path][method.toLowerCase()] = lean(operation);
}

// Components that something kept refers to, until nothing new is found.
const components = {};
const open = [paths];
while (open.length > 0) {
  const value = open.pop();
  if (value === null || typeof value !== "object") continue;
  if (typeof value.$ref === "string") {
    const [, , kind, name] = value.$ref.split("/");
    components[kind] ??= {};
    if (!components[kind][name]) {
      components[kind][name] = lean(description.components[kind][name]);
      open.push(components[kind][name]);
    }
  }
  open.push(...Object.values(value));
}

const sorted = (object) => Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1));
const lines = (object) => sorted(object).map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(",\n");
const kinds = sorted(components).map(([kind, all]) => `${JSON.stringify(kind)}:{\n${lines(all)}\n}`).join(",\n");
const text = `{"openapi":"${description.openapi}",\n"paths":{\n${lines(paths)}\n},\n"components":{\n${kinds}\n}}\n`;
writeFileSync(here("github.json"), text);
