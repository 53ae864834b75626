/**
 * Creating one product, however often Save is pressed: answers get lost, and what was typed is corrected meanwhile. One
 * key stands for all attempts of which nobody knows how they ended.
 */
import { uniqueId } from "../../storage.js";

/** @typedef {import("../../types.js").Product} Product */

export class Creation {
  /** @param {(body: object, key: string) => Promise<Product>} send */
  constructor(send, newKey = uniqueId) {
    this.send = send;
    this.newKey = newKey;
    this.forget();
  }

  forget() {
    this.key = this.newKey();
    /** What was sent under this key, without an answer. @type {object[]} */
    this.lost = [];
  }

  /**
   * Creates the product; `earlier`: an attempt whose answer was lost had done so, and this is what it made.
   * @param {object} body @returns {Promise<{product: Product, earlier: boolean}>}
   */
  async create(body) {
    try {
      const product = await this.send(body, this.key);
      this.forget();
      return { product, earlier: false };
    } catch (problem) {
      if (problem.passing) this.#remember(body);
      if (problem.code !== "idempotency-key-reused") throw problem;
      return { product: await this.#earlier(problem), earlier: true };
    }
  }

  #remember(body) {
    const text = JSON.stringify(body);
    if (!this.lost.some((one) => JSON.stringify(one) === text)) this.lost.push(body);
  }

  /** The answer of the attempt that did arrive is kept under the key, and is given to whoever sends the same again. */
  async #earlier(problem) {
    for (const body of this.lost) {
      try {
        const product = await this.send(body, this.key);
        this.forget();
        return product;
      } catch (other) {
        if (other.code !== problem.code) throw other;
      }
    }
    throw problem;
  }
}
