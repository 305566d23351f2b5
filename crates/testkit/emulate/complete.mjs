// Fills in what emulate's answers lack of the fields that GitHub's official OpenAPI description requires. What is filled in says nothing: an
// example, an empty text, a zero. Where the value matters to a client, host.mjs sets it before.
import fs from "node:fs";

/** An object that completes answers by a description (the path of its file). */
export function completer(file) {
  const description = JSON.parse(fs.readFileSync(file, "utf8"));
  const routes = Object.entries(description.paths).map(([template, methods]) => ({ template, methods, pattern: pattern(template) }));
  // `issues/comments` also looks like an issue's number: the template with fewer parameters is meant.
  routes.sort((one, other) => one.template.split("{").length - other.template.split("{").length);

  const resolve = (schema) => {
    while (schema?.$ref) schema = schema.$ref.split("/").slice(1).reduce((at, key) => at[key], description);
    return schema;
  };

  const made = (schema, depth) => {
    schema = resolve(schema) ?? {};
    if (schema.nullable || depth > 6) return null;
    if (schema.enum) return schema.enum[0];
    const alternatives = schema.oneOf ?? schema.anyOf;
    if (alternatives) return made(alternatives[0], depth + 1);
    if (schema.allOf) return schema.allOf.reduce((value, part) => completed(value, part, depth + 1), {});
    switch (schema.type) {
      case "string": return { "date-time": "2026-01-01T00:00:00Z", uri: "https://example.invalid/" }[schema.format] ?? "";
      case "integer": case "number": return 0;
      case "boolean": return false;
      case "array": return [];
      default: return completed({}, schema, depth + 1);
    }
  };

  const fits = (value, schema) => {
    schema = resolve(schema);
    if (Array.isArray(value)) return schema.type === "array";
    if (typeof value === "object") return schema.type === "object" || schema.properties || schema.allOf;
    return schema.type === typeof value || (schema.type === "integer" && typeof value === "number");
  };

  const completed = (value, schema, depth = 0) => {
    schema = resolve(schema);
    if (!schema || depth > 12 || value === null || value === undefined) return value;
    if (schema.allOf) return schema.allOf.reduce((all, part) => completed(all, part, depth + 1), value);
    const alternatives = schema.oneOf ?? schema.anyOf;
    if (alternatives) return completed(value, alternatives.find((alternative) => fits(value, alternative)), depth + 1);
    if (Array.isArray(value)) return schema.items ? value.map((item) => completed(item, schema.items, depth + 1)) : value;
    if (typeof value !== "object" || !schema.properties) return value;
    for (const [key, property] of Object.entries(schema.properties)) {
      if (key in value) value[key] = completed(value[key], property, depth + 1);
      else if (schema.required?.includes(key)) value[key] = made(property, depth + 1);
    }
    return value;
  };

  return {
    /** `METHOD /template` of a request, for counting. */
    endpoint(method, path) {
      const route = routes.find((route) => route.pattern.test(path) && route.methods[method.toLowerCase()]);
      return route && { name: `${method} ${route.template}`, operation: route.methods[method.toLowerCase()] };
    },
    /** An answer in JSON, completed in place. */
    answer(operation, status, value) {
      const response = resolve(operation?.responses?.[status]);
      return completed(value, response?.content?.["application/json"]?.schema);
    },
  };
}

function pattern(template) {
  const parts = template.split(/(\{[^}]+\})/).map((part) => {
    if (!part.startsWith("{")) return part.replaceAll(".", "\\.");
    return /^\{(ref|branch|basehead|path)\}$/.test(part) ? ".+" : "[^/]+";
  });
  return new RegExp(`^${parts.join("")}$`);
}
