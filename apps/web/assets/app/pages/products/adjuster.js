/**
 * Stock by small steps: the first press goes out at once, further ones gather while it is on its way and follow as one.
 * The figure on the screen is always what it will be; when a step is refused it goes back.
 */
import { wholeOf } from "./numbers.js";

/**
 * @typedef {object} Way
 * @property {number} flying
 * @property {number} waiting
 *
 * @typedef {object} Ends
 * @property {(id: string, body: object) => Promise<{product: import("../../types.js").Product}>} send
 * @property {(id: string, pending: number) => void} expect what is not confirmed yet, in all
 * @property {(product: import("../../types.js").Product) => void} settled
 * @property {(id: string, problem: any, lost: number) => void} refused `lost`: all that was taken back
 */
export class Adjuster {
  /** @param {Ends} ends */
  constructor(ends) {
    this.ends = ends;
    /** @type {Map<string, Way>} */
    this.ways = new Map();
  }

  /** @param {string} id */
  pending(id) {
    const way = this.ways.get(id);
    return way ? way.flying + way.waiting : 0;
  }

  /** @param {string} id @param {number} delta */
  add(id, delta) {
    const way = this.ways.get(id);
    if (way) {
      way.waiting += delta;
      this.ends.expect(id, this.pending(id));
      return Promise.resolve();
    }
    return this.#fly(id, delta, { reason: "correction" });
  }

  /** Sends one adjustment as it is, after what is on its way. @param {string} id @param {number} delta @param {object} body */
  once(id, delta, body) {
    const way = this.ways.get(id);
    if (way) return this.add(id, delta);
    return this.#fly(id, delta, body);
  }

  async #fly(id, delta, body) {
    const way = { flying: delta, waiting: 0 };
    this.ways.set(id, way);
    this.ends.expect(id, delta);
    try {
      const { product } = await this.ends.send(id, { delta, ...body });
      this.ways.delete(id);
      this.ends.settled(product);
      this.ends.expect(id, way.waiting);
    } catch (problem) {
      this.ways.delete(id);
      this.ends.expect(id, 0);
      this.ends.refused(id, problem, delta + way.waiting);
      return;
    }
    if (way.waiting !== 0) await this.#fly(id, way.waiting, { reason: "correction" });
  }
}

/**
 * Reads what was typed as a stock: `40` sets it, `+5` and `-3` change it.
 * @param {string} text @param {number} from the stock that was on the screen
 * @returns {{delta: number, relative: boolean} | null} null when it is neither
 */
export function parseStock(text, from) {
  const tidy = wholeOf(text);
  if (tidy === null) return null;
  const relative = /^[+-]/.test(tidy);
  const delta = relative ? Number(tidy) : Number(tidy) - from;
  return { delta, relative };
}
