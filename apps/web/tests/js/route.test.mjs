/** Addresses, and what is asked of the api because of them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { listQuery, matches } from "../../assets/app/pages/products/query.js";
import { formatRoute, parseRoute } from "../../assets/app/route.js";

test("an address and its route are each other's", () => {
  const route = { page: "products", params: { q: "red & white = ½", sort: "-stock", seller: "s.1" } };
  assert.deepEqual(parseRoute(formatRoute(route)), route);
});

test("no address is the products page", () => {
  for (const hash of ["", "#", "#/", "#//"]) assert.deepEqual(parseRoute(hash), { page: "products", params: {} });
});

test("what is empty is left away", () => {
  assert.equal(formatRoute({ page: "low-stock", params: { seller: "", q: undefined, n: null } }), "#/low-stock");
});

test("a question mark inside of a value stays", () => {
  assert.equal(parseRoute("#/products?q=what?").params.q, "what?");
});

test("asks the api for what the address says, and for nothing it does not know", () => {
  assert.deepEqual(listQuery({ q: " lamp ", low: "1", sort: "colour", x: "1" }, "s1"), { sort: "-createdAt", sellerId: "s1", lowStock: "true", q: "lamp" });
});

test("a product of the stream belongs to the list by the api's rules", () => {
  const product = { name: "Knitted UNION-Flag", sku: "85123A", sellerId: "s1", category: "retail", lowStock: false };
  const fits = (query) => matches(product, { sort: "name", ...query });
  assert.ok(fits({ q: "flag knit" }) && fits({ q: "85123" }) && fits({ sellerId: "s1" }) && fits({ q: " -- " }));
  assert.ok(!fits({ q: "lag" }) && !fits({ sellerId: "s2" }) && !fits({ category: "x" }) && !fits({ lowStock: "true" }));
});
