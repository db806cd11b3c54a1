// Holds every response against api/openapi.yaml: the status is listed, the headers are there, the body has the shape.
import { readFileSync } from "node:fs";

import Ajv2020 from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { parse } from "yaml";

export const openapiText = readFileSync(new URL("../../api/openapi.yaml", import.meta.url), "utf8");
export const openapi = parse(openapiText);

const ajv = new Ajv2020({ strict: false, allErrors: true });
addFormats(ajv);
ajv.addSchema(openapi, "openapi");

const paths = Object.keys(openapi.paths).map((path) => ({
  path,
  pattern: new RegExp(`^${path.replace(/[.]/g, "\\.").replace(/\{[^}]+\}/g, "[^/]+")}/?$`),
}));
const methods = ["get", "post", "put", "patch", "delete", "head", "options", "trace"];
// What any path may answer, documented or not.
const anywhere = { 405: "MethodNotAllowed" };
const bare = new Set([400, 408, 417, 431, 501, 503, 505]);

const pointer = (...steps) => `openapi#/${steps.map((step) => encodeURIComponent(step.replace(/~/g, "~0").replace(/\//g, "~1"))).join("/")}`;

/** Follows one `$ref` inside the file; gives the value and where it stands. */
function at(steps) {
  let value = openapi;
  for (const step of steps) value = value?.[step];
  if (value?.$ref) return at(value.$ref.slice(2).split("/").map((step) => step.replace(/~1/g, "/").replace(/~0/g, "~")));
  return { value, steps };
}

/** Where the response is described: { value, steps }; throws where it is not. */
function described(method, path, status) {
  const found = paths.find(({ pattern }) => pattern.test(path));
  if (!found) {
    if (status === 404 || bare.has(status)) return at(["components", "responses", "NotFound"]);
    throw new Error(`${path} is no path of the contract and must answer 404`);
  }
  const item = openapi.paths[found.path];
  const verb = method === "HEAD" && item.get ? "get" : method.toLowerCase();
  const operation = methods.includes(verb) ? item[verb] : undefined;
  if (operation?.responses[status]) return at(["paths", found.path, verb, "responses", String(status)]);
  if (!operation && anywhere[status]) return at(["components", "responses", anywhere[status]]);
  if (bare.has(status)) return at(["components", "responses", "BadRequest"]);
  throw new Error(operation ? "the status is not listed" : "the method is not listed, the answer must be 405");
}

/**
 * Throws an Error that says what is wrong with the response.
 * `headers` is a Headers; `body` the bytes as a Buffer.
 */
export function checkResponse({ method, path, status, headers, body }) {
  const complain = (what) => {
    throw new Error(`${method} ${path} answered ${status}: ${what}\n${body.toString("utf8").slice(0, 2000)}`);
  };
  let response;
  try {
    response = described(method, path.replace(/\?.*$/s, ""), status);
  } catch (error) {
    complain(error.message);
  }
  for (const name of new Set(["X-Request-Id", ...Object.keys(response.value.headers ?? {})])) {
    const value = headers.get(name);
    if (value === null) complain(`the header ${name} is missing`);
    if (!response.value.headers?.[name]) continue;
    const { value: header, steps } = at([...response.steps, "headers", name]);
    const typed = header.schema.type === "integer" ? Number(value) : value;
    if (!ajv.validate({ $ref: pointer(...steps, "schema") }, typed)) complain(`${name}: ${value}: ${ajv.errorsText()}`);
  }
  if (method === "HEAD" || !response.value.content) {
    if (body.length > 0) complain("there is a body");
    return;
  }
  const type = (headers.get("content-type") ?? "").replace(/;.*$/s, "").trim();
  const content = response.value.content;
  if (content["*/*"]) return;
  if (!content[type]) complain(`its content type is ${type || "missing"}, not ${Object.keys(content).join(" or ")}`);
  if (type !== "application/json") return;
  let json;
  try {
    json = JSON.parse(body.toString("utf8"));
  } catch (error) {
    complain(`no JSON: ${error.message}`);
  }
  const validate = ajv.getSchema(pointer(...response.steps, "content", type, "schema"));
  if (!validate(json)) complain(ajv.errorsText(validate.errors, { separator: "\n", dataVar: "body" }));
  if (json.message !== undefined && json.error !== undefined && json.message !== json.error) complain("error and message differ");
  if (json.request_id !== undefined && json.request_id !== headers.get("x-request-id")) complain("request_id differs from X-Request-Id");
}

/** Throws unless this is an event as the contract describes it. */
export function checkEvent(event) {
  const validate = ajv.getSchema(pointer("components", "schemas", "Event"));
  if (!validate(event)) throw new Error(`${ajv.errorsText(validate.errors, { separator: "\n", dataVar: "event" })}\n${JSON.stringify(event).slice(0, 2000)}`);
}
