/**
 * As much of a document as it takes to draw a component in node, to read what it says, and to press and type in it. Import
 * it before what draws.
 */
class Node {
  constructor(name) {
    this.nodeName = this.localName = name;
    this.nodeType = name === "#text" ? 3 : 1;
    this.namespaceURI = "http://www.w3.org/1999/xhtml";
    this.ownerDocument = globalThis.document;
    this.childNodes = [];
    this.attributes = [];
    this.listeners = {};
    this.parentNode = null;
    this.style = {};
    this.dataset = {};
  }
  get firstChild() { return this.childNodes[0] ?? null; }
  get nextSibling() { return this.parentNode?.childNodes[this.parentNode.childNodes.indexOf(this) + 1] ?? null; }
  get isConnected() { return this === document.body || Boolean(this.parentNode?.isConnected); }
  insertBefore(node, place) {
    node.remove();
    this.childNodes.splice(place ? this.childNodes.indexOf(place) : this.childNodes.length, 0, node);
    node.parentNode = this;
    return node;
  }
  append(...nodes) {
    for (const node of nodes) this.insertBefore(node, null);
  }
  remove() {
    this.parentNode?.childNodes.splice(this.parentNode.childNodes.indexOf(this), 1);
    this.parentNode = null;
  }
  setAttribute(name, value) {
    this.removeAttribute(name);
    this.attributes.push({ name, value: String(value) });
  }
  removeAttribute(name) { this.attributes = this.attributes.filter((one) => one.name !== name); }
  addEventListener(name, listener) { this.listeners[name] = listener; }
  removeEventListener(name) { delete this.listeners[name]; }
  querySelector() { return null; }
  closest() { return null; }
  focus() {}
  select() {}
  showModal() {}
  close() {}
  /** As if the browser did it. */
  fire(name) {
    return this.listeners[name].call(this, { type: name, target: this, currentTarget: this, preventDefault() {} });
  }
  get textContent() { return this.nodeType === 3 ? String(this.data) : this.childNodes.map((one) => one.textContent).join(""); }
  /** All elements of a name below it, in their order. @param {string} name */
  all(name) { return this.childNodes.flatMap((one) => [...(one.localName === name ? [one] : []), ...one.all(name)]); }
  getAttribute(name) { return this.attributes.find((one) => one.name === name)?.value ?? null; }
}
/** What a field holds is a property, as with a browser's. */
const FIELDS = new Set(["input", "select", "textarea", "option"]);
const make = (name) => Object.assign(new Node(name), FIELDS.has(name) && { value: "" });

const define = (name, value) => Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
const listeners = new Map();
define("document", {
  hidden: false,
  styleSheets: [],
  baseURI: "http://souk.test/",
  addEventListener: (name, run) => listeners.set(name, [...(listeners.get(name) ?? []), run]),
  removeEventListener: (name, run) => listeners.set(name, (listeners.get(name) ?? []).filter((one) => one !== run)),
});
Object.assign(document, {
  createElement: make,
  createElementNS: (_, name) => make(name),
  createTextNode: (data) => Object.assign(new Node("#text"), { data }),
  body: make("body"),
  documentElement: make("html"),
  // A sheet is there as soon as it is asked for.
  head: { append: (link) => queueMicrotask(link.onload) },
});
define("location", { hash: "#/products", href: "http://souk.test/" });
const wait = globalThis.setTimeout;
// What a page would still do later, such as taking a message away, keeps no test from its end.
define("setTimeout", (...args) => wait(...args).unref());
define("requestAnimationFrame", (run) => setTimeout(run));
define("cancelAnimationFrame", clearTimeout);

const { render } = await import("../../assets/app/html.js");

/** Until what was done just now is drawn. */
export const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Waits until something holds, and returns it. @param {() => any} holds */
export async function until(holds) {
  for (let i = 0; i < 2_000 && !holds(); i += 1) await new Promise((resolve) => wait(resolve, 5));
  if (!holds()) throw new Error(`this never came to hold: ${holds}`);
  return holds();
}

/** Hides the page, or shows it again, and tells whoever listens. @param {boolean} hidden */
export function hide(hidden) {
  document.hidden = hidden;
  for (const run of listeners.get("visibilitychange") ?? []) run();
}

/** Draws into the page. Returns the place, and what draws there anew or (with null) takes away. */
export function show(what) {
  const place = make("div");
  document.body.append(place);
  render(what, place);
  return { place, again: (next) => render(next, place) };
}

/** Returns the button with these words. @param {Node} place @param {string} words */
export const button = (place, words) => place.all("button").find((one) => one.textContent.trim() === words);

/** Types a text into a field. @param {Node} field @param {string} value */
export async function type(field, value) {
  field.value = value;
  field.fire("input");
  await turn();
}
