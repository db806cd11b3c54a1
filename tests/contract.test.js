// The yardstick itself: the API description is sound, and an answer that strays from it is noticed.
import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { checkResponse, openapi } from "./lib/contract.js";

const group = { id: "grp_6ieiCu7BVpR", name: "Lindgren Ceramics", profiles_count: 2 };
const answer = ({ method = "GET", path = "/api/profile_groups/grp_6ieiCu7BVpR", status = 200, headers = {}, json = group, text } = {}) =>
  checkResponse({
    method,
    path,
    status,
    headers: new Headers({ "Content-Type": "application/json", "X-Request-Id": "1", ...headers }),
    body: Buffer.from(text ?? (json === undefined ? "" : JSON.stringify(json))),
  });

describe("an answer that strays is noticed", () => {
  test("one that does not is not", () => {
    answer();
    answer({ path: "/api/profile_groups/grp_6ieiCu7BVpR/?profile_group_id=x" });
    answer({ status: 404, json: { error: "Not found", message: "Not found", request_id: "1" } });
    answer({ path: "/api/nothing", status: 404, json: { error: "Not found" } });
    answer({ method: "PUT", status: 405, headers: { Allow: "GET" }, json: { error: "No" } });
    answer({ method: "HEAD", text: "" });
  });

  for (const [name, stray] of Object.entries({
    "a key too many": { json: { ...group, colour: "blue" } },
    "a key too few": { json: { id: group.id, name: group.name } },
    "a value of another type": { json: { ...group, profiles_count: "2" } },
    "an id of another form": { json: { ...group, id: "6ieiCu7BVpR" } },
    "no JSON": { text: "{" },
    "no body": { text: "" },
    "a body behind HEAD": { method: "HEAD" },
    "another content type": { headers: { "Content-Type": "text/html" } },
    "a status that is not listed": { status: 202 },
    "an error without a sentence": { status: 404, json: { error: "" } },
    "errors beside error": { status: 404, json: { error: "No", errors: [] } },
    "a message that differs": { status: 404, json: { error: "No", message: "Not" } },
    "another request id in the body": { status: 404, json: { error: "No", request_id: "2" } },
    "a 405 without Allow": { method: "PUT", status: 405, json: { error: "No" } },
    "a 503 without Retry-After": { status: 503, json: { error: "No" } },
    "a success of a method that is not there": { method: "PUT" },
    "a success of a path that is not there": { path: "/api/nothing" },
  }))
    test(name, () => {
      assert.throws(() => answer(stray));
    });

  test("a missing request id", () => {
    assert.throws(() => checkResponse({ method: "GET", path: "/healthz", status: 200, headers: new Headers({ "Content-Type": "application/json" }), body: Buffer.from("{\"status\":\"ok\"}") }),
      /X-Request-Id/);
  });
});

test("the examples of the description keep to it", () => {
  let seen = 0;
  for (const [path, item] of Object.entries(openapi.paths))
    for (const [method, operation] of Object.entries(item))
      for (const [status, response] of Object.entries(operation.responses ?? {})) {
        const content = response.content?.["application/json"];
        for (const [name, given] of Object.entries(content?.examples ?? {})) {
          const example = given.$ref ? openapi.components.examples[given.$ref.split("/").at(-1)] : given;
          const headers = Object.fromEntries(Object.keys(response.headers ?? {}).map((header) => [header, { "Retry-After": "1", Allow: "GET" }[header] ?? "x"]));
          try {
            answer({ method: method.toUpperCase(), path: path.replace(/\{[^}]+\}/g, "x"), status: Number(status), headers, json: example.value });
          } catch (error) {
            if (!/request_id differs/.test(error.message)) throw new Error(`${method} ${path} ${status} ${name}: ${error.message}`);
          }
          seen++;
        }
      }
  assert.ok(seen > 20, `${seen} examples`);
});
