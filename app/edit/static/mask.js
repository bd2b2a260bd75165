// A painted mask: one canvas at display size, opaque = marked, with records of what every action changed.

import { create, getContext } from "../../widgets/static/dom.js";

/** @import { Box } from "../../widgets/static/protocol.js" */

const TILE = 256; // px; the unit in which changes are remembered

/** @typedef {Map<number, Uint8Array | null>} Tiles number of a tile -> its alpha, null where nothing is painted */

/** @typedef {[x0: number, y0: number, x1: number, y1: number]} Line */

/** What is painted: a PNG, and where it lies. @typedef {{ blob: Blob, box: Box }} Painted */

/** The mask of one photo. An action on it lies between `begin` and `commit` or `cancel`. */
export class MaskLayer {
  /**
   * @param {number} width
   * @param {number} height
   * @param {string} tint of what is marked, "#rrggbb"
   */
  constructor(width, height, tint) {
    this.tint = tint;
    this.width = width;
    this.height = height;
    this.canvas = create("canvas", { width, height });
    // Strokes are read back to remember what they covered: a canvas in main memory makes that cheap.
    this.context = getContext(this.canvas, { willReadFrequently: true });
    this.columns = Math.ceil(width / TILE);
    this.rows = Math.ceil(height / TILE);
    /** The tiles that may hold paint. @type {Set<number>} */
    this.touched = new Set();
    /** The tiles before the action under way. @type {Tiles | null} */
    this.record = null;
  }

  /**
   * @param {number} tile
   * @returns {Box}
   */
  box(tile) {
    const x = (tile % this.columns) * TILE;
    const y = Math.floor(tile / this.columns) * TILE;
    return [x, y, Math.min(TILE, this.width - x), Math.min(TILE, this.height - y)];
  }

  /**
   * @param {number} tile
   * @returns {Uint8Array | null}
   */
  read(tile) {
    if (!this.touched.has(tile)) return null;
    const rgba = this.context.getImageData(...this.box(tile)).data;
    const alpha = new Uint8Array(rgba.length / 4);
    let painted = 0;
    for (let i = 0; i < alpha.length; i++) painted |= alpha[i] = rgba[4 * i + 3];
    return painted ? alpha : null;
  }

  /**
   * @param {number} tile
   * @param {Uint8Array | null} alpha
   */
  write(tile, alpha) {
    const [x, y, width, height] = this.box(tile);
    if (!alpha) {
      this.context.clearRect(x, y, width, height);
      this.touched.delete(tile);
      return;
    }
    const image = this.context.createImageData(width, height);
    const rgb = [1, 3, 5].map((at) => parseInt(this.tint.slice(at, at + 2), 16));
    for (let i = 0, at = 0; i < alpha.length; i++, at += 4) {
      image.data.set(rgb, at);
      image.data[at + 3] = alpha[i];
    }
    this.context.putImageData(image, x, y);
    this.touched.add(tile);
  }

  // ---- actions

  begin() {
    this.record = new Map();
  }

  /** End the action; return what `swap` needs to take it back, or null when nothing was touched. */
  commit() {
    const { record } = this;
    this.record = null;
    return record?.size ? record : null;
  }

  /**
   * Exchange the recorded tiles with the present ones: the same record undoes and redoes.
   *
   * @param {Tiles} tiles
   */
  swap(tiles) {
    for (const [tile, before] of tiles) {
      const now = this.read(tile);
      this.write(tile, before);
      tiles.set(tile, now);
    }
  }

  /** @param {number} tile */
  remember(tile) {
    if (this.record && !this.record.has(tile)) this.record.set(tile, this.read(tile));
  }

  /**
   * @param {number} left
   * @param {number} top
   * @param {number} right
   * @param {number} bottom
   */
  rememberBox(left, top, right, bottom) {
    /** @type {(value: number, count: number) => number} */
    const tileAt = (value, count) => Math.max(0, Math.min(count - 1, Math.floor(value / TILE)));
    for (let row = tileAt(top, this.rows); row <= tileAt(bottom, this.rows); row++) {
      for (let column = tileAt(left, this.columns); column <= tileAt(right, this.columns); column++) {
        const tile = row * this.columns + column;
        this.remember(tile);
        this.touched.add(tile);
      }
    }
  }

  // ---- changes

  /**
   * Paint or erase along a line.
   *
   * @param {Line} line
   * @param {number} diameter
   * @param {boolean} erase
   */
  stroke(line, diameter, erase) {
    const [x0, y0, x1, y1] = line;
    const reach = diameter / 2 + 2;
    this.rememberBox(
      Math.min(x0, x1) - reach, Math.min(y0, y1) - reach,
      Math.max(x0, x1) + reach, Math.max(y0, y1) + reach,
    );
    drawStroke(this.context, line, diameter, erase, this.tint);
  }

  clear() {
    for (const tile of [...this.touched]) {
      this.remember(tile);
      this.write(tile, null);
    }
  }

  invert() {
    for (let tile = 0; tile < this.rows * this.columns; tile++) {
      const [, , width, height] = this.box(tile);
      const alpha = this.read(tile) ?? new Uint8Array(width * height);
      this.remember(tile);
      this.write(tile, alpha.map((value) => 255 - value));
    }
  }

  /**
   * Replace everything by a picture whose opaque pixels are marked, its corner at (x, y).
   *
   * @param {ImageBitmap} picture
   * @param {number} x
   * @param {number} y
   * @param {boolean} [add] to what is marked, instead of replacing it
   */
  load(picture, x, y, add = false) {
    if (!add) this.clear();
    this.rememberBox(x, y, x + picture.width - 1, y + picture.height - 1);
    this.context.drawImage(picture, x, y);
    this.context.globalCompositeOperation = "source-in";
    this.context.fillStyle = this.tint;
    this.context.fillRect(0, 0, this.width, this.height);
    this.context.globalCompositeOperation = "source-over";
  }

  // ---- what is painted

  /**
   * The painted part, to the tile; null when nothing is painted.
   *
   * @returns {Box | null}
   */
  bounds() {
    const boxes = [...this.touched].filter((tile) => this.read(tile)).map((tile) => this.box(tile));
    if (!boxes.length) return null;
    const left = Math.min(...boxes.map((box) => box[0]));
    const top = Math.min(...boxes.map((box) => box[1]));
    const right = Math.max(...boxes.map((box) => box[0] + box[2]));
    const bottom = Math.max(...boxes.map((box) => box[1] + box[3]));
    return [left, top, right - left, bottom - top];
  }

  /**
   * Return the painted part; null when nothing is painted.
   *
   * @returns {Promise<Painted | null>}
   */
  async toPng() {
    const box = this.bounds();
    if (!box) return null;
    const part = create("canvas", { width: box[2], height: box[3] });
    getContext(part).drawImage(this.canvas, -box[0], -box[1]);
    /** @type {Blob | null} */
    const blob = await new Promise((resolve) => part.toBlob(resolve, "image/png"));
    if (!blob) throw new Error("The browser has no memory left to send the mask.");
    return { blob, box };
  }
}

/**
 * Draw one stroke: of the mask itself, or at once on the screen.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Line} line
 * @param {number} diameter
 * @param {boolean} erase
 * @param {string} tint
 */
export function drawStroke(context, [x0, y0, x1, y1], diameter, erase, tint) {
  context.globalCompositeOperation = erase ? "destination-out" : "source-over";
  context.strokeStyle = tint;
  context.lineCap = "round";
  context.lineWidth = diameter;
  context.beginPath();
  context.moveTo(x0, y0);
  context.lineTo(x1, y1 + (x0 === x1 && y0 === y1 ? 0.01 : 0)); // a click without a move is a dot
  context.stroke();
  context.globalCompositeOperation = "source-over";
}
