/** Toasts: who makes room for whom. */
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { dismissToast, showToast } from "../../assets/app/ui/toast.js";

const gone = [];
const show = (key, more = {}) => showToast({ key, title: key, quiet: true, lasts: Infinity, onGone: () => gone.push(key), ...more });
const undo = { action: { label: "Undo", run: () => undefined } };
const news = { passing: true, action: { label: "Show", run: () => undefined } };
const clear = (...keys) => {
  for (const key of keys) dismissToast(key);
  gone.length = 0;
};
after(() => clear());

test("news makes room, and takes none from what can still be undone", () => {
  for (const key of ["a", "b", "c"]) show(`delete-${key}`, undo);
  for (const key of ["low", "created", "deleted"]) show(`news-${key}`, news);
  assert.deepEqual(gone, ["news-low", "news-created", "news-deleted"]);
  clear("delete-a");
  show("news-low", news);
  show("news-created", news);
  assert.deepEqual(gone, ["news-low"], "of two that are told elsewhere the newer stays");
  show("delete-d", undo);
  assert.deepEqual(gone, ["news-low", "news-created"]);
  clear("delete-b", "delete-c", "delete-d");
});

test("what only tells is shown beside what can be undone, once", () => {
  for (const key of ["a", "b", "c"]) show(`delete-${key}`, undo);
  show("saved");
  show("failed");
  assert.deepEqual(gone, ["saved"]);
  clear("failed");
  show("delete-d", undo);
  assert.deepEqual(gone, ["delete-a"], "one's own next step is what makes room for itself");
  clear("delete-b", "delete-c", "delete-d");
});

test("a toast that changes stays in its place", () => {
  show("news-low", news);
  show("saved");
  show("news-low", news);
  assert.deepEqual(gone, []);
  clear("news-low", "saved");
});
