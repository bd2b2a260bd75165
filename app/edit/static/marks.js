// What is painted on a photo: the hole, and the places that its texture may be taken from.

import { MaskLayer } from "./mask.js";

/** @import { Line, Painted, Tiles } from "./mask.js" */

/** @typedef {"brush" | "source" | "erase" | "select"} Tool */
/** @typedef {"mask" | "source"} Layer a canvas of the stage */
/** @typedef {Map<Layer, Tiles>} Change what an action changed of each layer */

/** @type {Record<Layer, string>} */
const TINTS = { mask: "#ff3d68", source: "#12b3a4" };

/** What each tool paints on. @type {Record<Tool, Layer[]>} */
const PAINTED = { brush: ["mask"], source: ["source"], erase: ["mask", "source"], select: [] };

/** The marks on one photo. An action on them lies between `begin` and `commit` or `cancel`. */
export class Marks {
  /**
   * @param {number} width
   * @param {number} height
   */
  constructor(width, height) {
    this.mask = new MaskLayer(width, height, TINTS.mask);
    this.source = new MaskLayer(width, height, TINTS.source);
  }

  /** @type {Layer[]} */
  static names = ["mask", "source"];

  /** Whether an action is under way. */
  get painting() {
    return this.mask.record !== null;
  }

  begin() {
    for (const name of Marks.names) this[name].begin();
  }

  /**
   * End the action; return what `swap` needs to take it back, or null when nothing was touched.
   *
   * @returns {Change | null}
   */
  commit() {
    /** @type {Change} */
    const change = new Map();
    for (const name of Marks.names) {
      const tiles = this[name].commit();
      if (tiles) change.set(name, tiles);
    }
    return change.size ? change : null;
  }

  cancel() {
    const change = this.commit();
    if (change) this.swap(change);
  }

  /**
   * Exchange what was changed with what is there: the same change undoes and redoes.
   *
   * @param {Change} change
   */
  swap(change) {
    for (const [name, tiles] of change) this[name].swap(tiles);
  }

  /**
   * Paint or erase along a line; return the layers that were painted on.
   *
   * @param {Tool} tool
   * @param {Line} line
   * @param {number} diameter
   */
  stroke(tool, line, diameter) {
    for (const name of PAINTED[tool]) this[name].stroke(line, diameter, tool === "erase");
    return PAINTED[tool];
  }

  clear() {
    for (const name of Marks.names) this[name].clear();
  }

  /** Return what is painted, layer by layer. */
  async toPng() {
    /** @type {[Layer, Painted][]} */
    const layers = [];
    for (const name of Marks.names) {
      const painted = await this[name].toPng();
      if (painted) layers.push([name, painted]);
    }
    return layers;
  }
}
