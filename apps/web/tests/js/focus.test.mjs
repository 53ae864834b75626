/** Toasts: where the focus goes when what has it leaves, in a browser that says nothing when it is taken away. */
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

/** Where the focus is, and whether it is shown, as it is when it came by keys. */
let focused = null;
let byKeys = true;
/** As much of an element as takes the focus; what is not in the page does not. */
class Element {
  constructor(name, there = true) {
    Object.assign(this, { name, there, dataset: {} });
  }
  focus() {
    if (!this.there || focused === this) return;
    const from = focused;
    focused = this;
    const event = { currentTarget: region, target: from };
    if (region.contains(from) && !region.contains(this)) view().props.onFocusOut({ ...event, relatedTarget: this });
    if (region.contains(this)) view().props.onFocusIn({ ...event, target: this, relatedTarget: from });
  }
  hasAttribute() {
    return true;
  }
  matches(selector) {
    return focused === this && (selector === ":focus" || byKeys);
  }
}

/** The region: its toasts and their buttons are made from what is drawn. */
let hovered = false;
const region = {
  children: [],
  contains: (element) => region.children.some((one) => one.buttons.includes(element)),
  matches: (selector) => (selector.includes(":hover") && hovered) || region.contains(focused),
};
const main = new Element("main");
const row = new Element("row");
globalThis.addEventListener ??= () => undefined;
globalThis.matchMedia = () => ({ matches: true });
globalThis.requestAnimationFrame = (run) => setImmediate(run);
globalThis.document = { hidden: false, getElementById: () => main, querySelector: (selector) => (selector === '[data-id="p1"]' ? row : null) };

const { dismissToast, showToast, Toasts } = await import("../../assets/app/ui/toast.js");
const { removeLater } = await import("../../assets/app/pages/products/remove.js");
const { api } = await import("../../assets/app/api.js");

const view = () => Toasts();
const toastsIn = (section) => [section.props.children].flat(Infinity).filter((one) => one?.props?.["data-key"]);
const presses = (vnode) => {
  if (!vnode || typeof vnode !== "object") return [];
  const inner = [vnode.props?.children].flat(Infinity).flatMap(presses);
  return vnode.props?.onClick ? [vnode.props.onClick, ...inner] : inner;
};
/** Draws what is there now; what is gone takes the focus with it, and says nothing. */
function draw() {
  const section = view();
  section.ref(region);
  const old = region.children;
  region.children = toastsIn(section).map((toast) => {
    const key = toast.props["data-key"];
    const kept = old.find((one) => one.dataset.key === key);
    if (kept) return kept;
    const buttons = presses(toast).map((_, i) => new Element(`${key} ${i}`));
    const inside = () => buttons.find((one) => one === focused) ?? null;
    return { dataset: { key }, buttons, querySelector: (selector) => (selector === "button" ? buttons[0] : inside()) };
  });
  for (const gone of old.filter((one) => !region.children.includes(one))) {
    for (const button of gone.buttons) button.there = false;
    if (gone.buttons.includes(focused)) focused = null;
  }
}
const toastOf = (key) => region.children.find((one) => one.dataset.key === key);
/** Presses the first button of a toast. */
function press(key) {
  toastOf(key).buttons[0].focus();
  presses(toastsIn(view()).find((one) => one.props["data-key"] === key))[0]();
  draw();
}
const undo = { action: { label: "Undo", run: () => undefined } };

beforeEach(() => {
  for (const { dataset } of region.children) dismissToast(dataset.key);
  draw();
  byKeys = true;
  hovered = false;
  focused = null;
});

test("keys go on with the next toast, then where they were, then with the page", () => {
  const field = new Element("field");
  for (const key of ["a", "b", "c"]) showToast({ key, title: key, quiet: true, ...undo });
  draw();
  field.focus();
  press("b");
  assert.equal(focused, toastOf("c").buttons[0]);
  press("c");
  assert.equal(focused, toastOf("a").buttons[0]);
  press("a");
  assert.equal(focused, field);

  showToast({ key: "d", title: "d", quiet: true, ...undo });
  draw();
  toastOf("d").buttons[0].focus();
  field.there = false;
  press("d");
  assert.equal(focused, main);
});

test("what makes room for others does not take the focus with it", () => {
  for (const key of ["a", "b", "c"]) showToast({ key, title: key, quiet: true });
  draw();
  toastOf("a").buttons[0].focus();
  showToast({ key: "d", title: "d", quiet: true });
  draw();
  assert.equal(focused, toastOf("b").buttons[0]);
});

test("what waits is sent when the focus has left, and not before", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const gone = [];
  for (const key of ["a", "b"]) showToast({ key, title: key, quiet: true, onGone: () => gone.push(key), ...undo });
  draw();
  main.focus();
  // A pointer that is not on them any more: the focus goes back to where it was.
  byKeys = false;
  press("a");
  assert.equal(focused, main);
  t.mock.timers.tick(6_000);
  assert.deepEqual(gone, ["a", "b"]);

  for (const key of ["a", "b"]) showToast({ key, title: key, quiet: true, onGone: () => gone.push(key), ...undo });
  draw();
  hovered = true;
  press("a");
  t.mock.timers.tick(6_000);
  assert.deepEqual(gone, ["a", "b", "a"], "under the pointer it stays");
  view().props.onMouseLeave();
  t.mock.timers.tick(6_000);
  assert.deepEqual(gone, ["a", "b", "a", "b"]);
});

test("the row that came back has the focus, and the other deletion is sent", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const sent = [];
  t.mock.method(api, "remove", async (id) => sent.push(id));
  for (const id of ["p1", "p2"]) removeLater({ id, name: id }, () => undefined);
  draw();
  press("delete-p1");
  assert.equal(focused, toastOf("delete-p2").buttons[0]);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(focused, row);
  t.mock.timers.tick(6_000);
  assert.deepEqual(sent, ["p2"]);
});
