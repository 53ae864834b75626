/** Problem documents, as forms and messages need them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fieldErrors } from "../../assets/app/pages/products/form.js";
import { Problem, problemOf, unreachable } from "../../assets/app/problem.js";

test("faults go to their fields", () => {
  const problem = new Problem({ status: 422, code: "validation-failed", errors: [{ pointer: "/price", detail: "is required" }, { pointer: "/price", detail: "is wrong" }, { pointer: "/a~1b", detail: "x" }, { pointer: "", detail: "whole" }] });
  assert.deepEqual(fieldErrors(problem), { price: "is required; is wrong", "a/b": "x" });
});

test("a taken sku is the sku's fault", () => {
  assert.ok(fieldErrors(new Problem({ status: 409, code: "sku-taken" })).sku);
});

test("what may pass is told from what will not", () => {
  assert.ok(unreachable("api", new TypeError("failed")).passing);
  assert.ok(new Problem({ status: 503, code: "overloaded" }).passing);
  assert.ok(new Problem({ status: 500, code: "outcome-unknown" }).passing);
  for (const status of [400, 404, 409, 412, 422, 500]) assert.ok(!new Problem({ status, code: "x" }).passing);
});

test("an answer that is no problem document is one all the same", async () => {
  const problem = await problemOf(new Response("<h1>Bad gateway</h1>", { status: 502, headers: { "Retry-After": "3", "X-Request-Id": "r1" } }));
  assert.deepEqual([problem.status, problem.retryAfterMillis, problem.requestId], [502, 3000, "r1"]);
});
