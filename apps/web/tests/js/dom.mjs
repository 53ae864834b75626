/** As much of a document as it takes to draw components in node, and to read what they say. */

class Node {
  parentNode = null;
  childNodes = [];
  get firstChild() {
    return this.childNodes[0] ?? null;
  }
  get nextSibling() {
    return this.parentNode?.childNodes[this.parentNode.childNodes.indexOf(this) + 1] ?? null;
  }
  insertBefore(node, before) {
    node.parentNode?.removeChild(node);
    const at = before ? this.childNodes.indexOf(before) : this.childNodes.length;
    this.childNodes.splice(at, 0, node);
    node.parentNode = this;
    return node;
  }
  appendChild(node) {
    return this.insertBefore(node, null);
  }
  append(node) {
    this.insertBefore(node, null);
    // A style sheet is there as soon as it is asked for.
    node.onload?.();
  }
  removeChild(node) {
    this.childNodes.splice(this.childNodes.indexOf(node), 1);
    node.parentNode = null;
  }
  remove() {
    this.parentNode?.removeChild(this);
  }
  contains(node) {
    return node === this || this.childNodes.some((child) => child.contains(node));
  }
  /** All elements of a name, in their order. @param {string} name */
  all(name) {
    return this.childNodes.flatMap((child) => [...(child.localName === name ? [child] : []), ...child.all(name)]);
  }
  get textContent() {
    return this.childNodes.map((child) => child.textContent).join("");
  }
}

class Text extends Node {
  nodeType = 3;
  constructor(data) {
    super();
    this.data = data;
  }
  get textContent() {
    return String(this.data);
  }
}

class Element extends Node {
  nodeType = 1;
  namespaceURI = "http://www.w3.org/1999/xhtml";
  attributes = {};
  style = {};
  constructor(localName) {
    super();
    this.localName = localName;
  }
  setAttribute(name, value) {
    this.attributes[name] = String(value);
  }
  removeAttribute(name) {
    delete this.attributes[name];
  }
  getAttribute(name) {
    return this.attributes[name] ?? null;
  }
  addEventListener() {}
  removeEventListener() {}
}

const listeners = new Map();
const element = (name) => new Element(name);
export const page = {
  hidden: false,
  baseURI: "http://souk.test/",
  styleSheets: [],
  head: element("head"),
  body: element("body"),
  documentElement: Object.assign(element("html"), { dataset: { ready: "true" } }),
  createElement: element,
  createElementNS: (_, name) => element(name),
  createTextNode: (data) => new Text(data),
  addEventListener: (name, run) => listeners.set(name, [...(listeners.get(name) ?? []), run]),
  removeEventListener: (name, run) => listeners.set(name, (listeners.get(name) ?? []).filter((one) => one !== run)),
};

/** Hides the page, or shows it again, and tells whoever listens. @param {boolean} hidden */
export function turn(hidden) {
  page.hidden = hidden;
  for (const run of listeners.get("visibilitychange") ?? []) run();
}

/** Waits until it holds, while the page goes on. @param {() => unknown} holds */
export async function until(holds) {
  for (let i = 0; i < 500; i += 1) {
    if (holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`never: ${holds}`);
}

Object.defineProperty(globalThis, "document", { value: page, configurable: true, writable: true });
Object.defineProperty(globalThis, "location", { value: { href: page.baseURI, hash: "" }, configurable: true, writable: true });
