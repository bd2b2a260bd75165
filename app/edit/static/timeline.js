// What was filled from what, and the one list of steps that undo and redo walk along.

import { create, getContext } from "../../widgets/static/dom.js";
import { ORIGINAL } from "../../widgets/static/protocol.js";

/** @import { Box } from "../../widgets/static/protocol.js" */
/** @import { Change } from "./marks.js" */
/** @import { Painted } from "./mask.js" */

const MAX_IMAGES = 3;
const MAX_STEPS = 80;
const MAX_BYTES = 256 * 2 ** 20; // of remembered mask tiles

/**
 * A changed part of a photo, its place in photo px.
 *
 * @typedef {{ bitmap: ImageBitmap | HTMLCanvasElement, x: number, y: number, width: number, height: number }} Patch
 */

/**
 * A result, a variation that may become one, or the guide of a fill that is under way.
 *
 * @typedef {object} Entry
 * @property {string} id
 * @property {string} base id of what it was made of
 * @property {Patch[]} patches what differs from that
 * @property {Painted} [hole] what was filled
 * @property {boolean} live it is still kept on the server
 */

/**
 * What the editor shows: base is the id of what is painted on, shown that of the result compared with it.
 *
 * @typedef {object} EditState
 * @property {string} base
 * @property {string | null} shown
 * @property {"paint" | "compare"} view
 */

/**
 * @typedef {object} Step
 * @property {Change | null} change the marks' other half of the step
 * @property {EditState} from
 * @property {EditState} to
 */

let openedPhotos = 0;

/** An opened photo with everything that was made of it. */
export class Timeline {
  /**
   * @param {ImageBitmap} photo at display size
   * @param {[number, number]} size width and height of the photo itself
   * @param {boolean} alpha it has transparency
   */
  constructor(photo, size, alpha) {
    this.id = String((openedPhotos += 1));
    this.photo = photo;
    this.size = size;
    this.scale = photo.width / size[0]; // display px per photo px
    this.alpha = alpha;
    /** @type {Map<string, Entry>} */
    this.entries = new Map();
    /** The few pictures last used, by their id. @type {Map<string, HTMLCanvasElement>} */
    this.images = new Map();
    /** @type {Step[]} */
    this.past = [];
    /** @type {Step[]} */
    this.future = [];
  }

  /** @param {Entry} entry */
  add(entry) {
    this.entries.set(entry.id, entry);
  }

  /** @param {string} id */
  remove(id) {
    this.entries.delete(id);
    this.images.delete(id);
  }

  /**
   * The picture of a result: the photo, with what every fill on the way to it changed put in, pixel on pixel.
   *
   * @param {string} id
   */
  image(id) {
    if (id === ORIGINAL) return this.photo;
    const canvas = this.images.get(id) ?? this.compose(id);
    this.images.delete(id); // and in again: the last one used goes last
    this.images.set(id, canvas);
    for (const oldest of this.images.keys()) if (this.images.size > MAX_IMAGES) this.images.delete(oldest);
    return canvas;
  }

  /**
   * Every fill on the way from the photo to a result.
   *
   * @param {string} id
   */
  chain(id) {
    /** @type {Entry[]} */
    const chain = [];
    for (let entry = this.entries.get(id); entry; entry = this.entries.get(entry.base)) chain.unshift(entry);
    return chain;
  }

  /** @param {string} id */
  compose(id) {
    const { width, height } = this.photo;
    const canvas = create("canvas", { width, height });
    const context = getContext(canvas);
    context.drawImage(this.photo, 0, 0);
    for (const { bitmap, ...place } of this.chain(id).flatMap((entry) => entry.patches)) {
      const box = this.toDisplay(place);
      if (this.alpha) context.clearRect(...box);
      context.drawImage(bitmap, ...box);
    }
    return canvas;
  }

  /**
   * @param {{ x: number, y: number, width: number, height: number }} place in photo px
   * @returns {Box} in display px
   */
  toDisplay({ x, y, width, height }) {
    return [x * this.scale, y * this.scale, width * this.scale, height * this.scale];
  }

  /**
   * @param {{ x: number, y: number, width: number, height: number }} place in display px
   * @returns {{ x: number, y: number, width: number, height: number }} in photo px
   */
  toPhoto({ x, y, width, height }) {
    return { x: x / this.scale, y: y / this.scale, width: width / this.scale, height: height / this.scale };
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {string} id
   */
  draw(context, id) {
    context.drawImage(this.image(id), 0, 0);
  }

  /**
   * Fill a small canvas with a part of a picture, in the middle of it what does not fit.
   *
   * @param {string} id
   * @param {HTMLCanvasElement} canvas
   * @param {Box} [box] in display px; the whole picture if left out
   */
  thumbnail(id, canvas, [left, top, width, height] = [0, 0, this.photo.width, this.photo.height]) {
    const context = getContext(canvas);
    const ratio = Math.max(canvas.width / width, canvas.height / height);
    const x = canvas.width / 2 - (left + width / 2) * ratio;
    const y = canvas.height / 2 - (top + height / 2) * ratio;
    context.setTransform(ratio, 0, 0, ratio, x, y);
    context.imageSmoothingQuality = "high";
    this.draw(context, id);
  }

  /** @param {Step} step */
  push(step) {
    this.past.push(step);
    this.future = [];
    let total = this.past.reduce((sum, one) => sum + countBytes(one), 0);
    while (this.past.length > 1 && (this.past.length > MAX_STEPS || total > MAX_BYTES)) {
      const [oldest] = this.past.splice(0, 1);
      total -= countBytes(oldest);
    }
  }

  undo() {
    return move(this.past, this.future);
  }

  redo() {
    return move(this.future, this.past);
  }
}

/**
 * Move the last step from one list to the end of another, and return it.
 *
 * @param {Step[]} from
 * @param {Step[]} to
 */
function move(from, to) {
  const step = from.pop();
  if (step) to.push(step);
  return step;
}

/** @param {Step} step */
function countBytes({ change }) {
  const tiles = [...(change?.values() ?? [])].flatMap((one) => [...one.values()]);
  return tiles.reduce((sum, alpha) => sum + (alpha?.length ?? 0), 0);
}
