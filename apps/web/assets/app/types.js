/**
 * Shapes that travel between modules. There is no code here: JSDoc alone.
 *
 * @typedef {object} Product
 * @property {string} id
 * @property {string} sellerId
 * @property {string | null} sku
 * @property {string} name
 * @property {string} [description]
 * @property {string} category
 * @property {number} price
 * @property {number} stock
 * @property {number | null} lowStockThreshold null: the server's default
 * @property {boolean} lowStock
 * @property {number} version
 * @property {string} createdAt
 * @property {string} updatedAt
 *
 * @typedef {object} SoukEvent a CloudEvent as the stream carries it
 * @property {string} id
 * @property {"ProductCreated" | "ProductUpdated" | "ProductDeleted" | "LowStockWarning" | "StockReplenished"} type
 * @property {string} subject the product's id
 * @property {string} time RFC 3339
 * @property {string} sellerid
 * @property {{version: number, product: Product, changes?: Record<string, {from: any, to: any}>, reason?: string,
 *   reference?: string, stock?: number, previousStock?: number | null, threshold?: number, occurredAt?: string}} data
 *
 * @typedef {object} Notice what the history keeps of an event
 * @property {string} id the event's
 * @property {number} seq grows with arrival, also across restarts of the browser
 * @property {string} at RFC 3339
 * @property {"low" | "replenished" | "created" | "deleted" | "edited" | "stock" | "gap"} kind
 * @property {"alert" | "catalog" | "stock"} group
 * @property {string} seller
 * @property {string} productId
 * @property {string} name
 * @property {Record<string, any>} data
 */
export {};
