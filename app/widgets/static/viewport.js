// Where the photo lies on a stage, and the pictures stacked there.

import { create, find, getContext } from "./dom.js";

const MAX_SCALE = 32; // screen px per photo px
const MAX_FITTED_SCALE = 8; // of a photo that is smaller than the stage
const NEARLY_FITTED = 0.001; // of the fitting scale: nearer than that, the photo is fitted
const CRISP_SCALE = 3; // from here on single pixels are shown as they are
const CHECKER_PX = 16; // of two squares

/** @typedef {(context: CanvasRenderingContext2D) => void} Painter draws a layer, in picture coordinates */

/** A picture on a stage at any scale: its geometry, and the canvases that show its layers. */
export class Viewport {
  /**
   * @param {HTMLElement} stage
   * @param {string[]} names the classes of the stage's canvases, lowest first
   */
  constructor(stage, names) {
    this.stage = stage;
    /** @type {Record<string, HTMLCanvasElement>} */
    this.layers = {};
    for (const name of names) this.layers[name] = find(stage, `canvas.${name}`, HTMLCanvasElement);
    /** @type {Record<string, Painter>} */
    this.painters = {};
    /** Width and height of the picture; null while there is none. @type {[number, number] | null} */
    this.size = null;
    this.scale = 1; // CSS px per picture px
    this.x = 0; // CSS px of the picture's corner on the stage
    this.y = 0;
    this.fitted = true;
    /** The smallest and the largest scale. @type {() => [number, number]} */
    this.limits = () => [this.fitScale(), MAX_SCALE];
    this.onchange = () => {};
    new ResizeObserver(() => this.resize()).observe(stage);
  }

  /**
   * Show a picture of another size.
   *
   * @param {number} width
   * @param {number} height
   */
  open(width, height) {
    this.size = [width, height];
    this.fit();
  }

  /** The scale at which the whole picture is seen. */
  fitScale() {
    const [width, height] = this.size ?? [1, 1];
    return Math.min(this.stage.clientWidth / width, this.stage.clientHeight / height, MAX_FITTED_SCALE);
  }

  fit() {
    if (!this.size) return;
    this.fitted = true;
    this.scale = this.fitScale();
    this.x = (this.stage.clientWidth - this.size[0] * this.scale) / 2;
    this.y = (this.stage.clientHeight - this.size[1] * this.scale) / 2;
    this.redraw();
  }

  /**
   * Zoom by a factor and keep the picture point under (x, y), CSS px on the stage, where it is.
   *
   * @param {number} factor
   */
  zoom(factor, x = this.stage.clientWidth / 2, y = this.stage.clientHeight / 2) {
    if (!this.size) return;
    const [least, most] = this.limits();
    const scale = Math.max(least, Math.min(most, this.scale * factor));
    if (Math.abs(scale / this.fitScale() - 1) < NEARLY_FITTED) return this.fit();
    this.fitted = false;
    this.x = x - ((x - this.x) * scale) / this.scale;
    this.y = y - ((y - this.y) * scale) / this.scale;
    this.scale = scale;
    this.clampPosition();
    this.redraw();
  }

  /**
   * @param {number} dx CSS px
   * @param {number} dy
   */
  pan(dx, dy) {
    if (!this.size || this.fitted) return;
    this.x += dx;
    this.y += dy;
    this.clampPosition();
    this.redraw();
  }

  /** Leave no gap beside a picture that is larger than the stage; centre one that is smaller. */
  clampPosition() {
    if (!this.size) return;
    /** @type {(at: number, picture: number, stage: number) => number} */
    const clamp = (at, picture, stage) =>
      picture <= stage ? (stage - picture) / 2 : Math.max(stage - picture, Math.min(0, at));
    this.x = clamp(this.x, this.size[0] * this.scale, this.stage.clientWidth);
    this.y = clamp(this.y, this.size[1] * this.scale, this.stage.clientHeight);
  }

  resize() {
    if (!this.size || !this.stage.clientWidth) return; // another tab is open: what is shown waits as it is
    if (this.fitted) return this.fit();
    this.clampPosition();
    this.redraw();
  }

  /**
   * @param {number} x CSS px on the stage
   * @param {number} y
   * @returns {[number, number]} picture px
   */
  toPicture(x, y) {
    return [(x - this.x) / this.scale, (y - this.y) / this.scale];
  }

  /** The picture's visible part on the stage, in CSS px. */
  frame() {
    const [width, height] = this.size ?? [0, 0];
    return {
      left: Math.max(0, this.x),
      top: Math.max(0, this.y),
      right: Math.min(this.stage.clientWidth, this.x + width * this.scale),
      bottom: Math.min(this.stage.clientHeight, this.y + height * this.scale),
    };
  }

  /**
   * The picture's corner on the stage in screen pixels: whole ones, so that at 1x every pixel is met.
   *
   * @returns {[number, number]}
   */
  corner() {
    const ratio = window.devicePixelRatio || 1;
    return [Math.round(this.x * ratio), Math.round(this.y * ratio)];
  }

  /**
   * The context of a layer, as large as the stage, in picture coordinates.
   *
   * @param {string} name
   */
  context(name) {
    const canvas = this.layers[name];
    const ratio = window.devicePixelRatio || 1;
    const width = Math.round(this.stage.clientWidth * ratio);
    const height = Math.round(this.stage.clientHeight * ratio);
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const context = getContext(canvas);
    const scale = this.scale * ratio;
    context.setTransform(scale, 0, 0, scale, ...this.corner());
    context.imageSmoothingEnabled = scale < CRISP_SCALE;
    context.imageSmoothingQuality = "high";
    return context;
  }

  /**
   * Paint layers anew, all unless some are named.
   *
   * @param {...string} names
   */
  redraw(...names) {
    if (!this.size) return;
    for (const name of names.length ? names : Object.keys(this.layers)) {
      const context = this.context(name);
      context.save();
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.clearRect(0, 0, context.canvas.width, context.canvas.height);
      context.restore();
      this.painters[name]?.(context);
    }
    if (!names.length) this.onchange();
  }

  /**
   * Draw a picture over the whole of this one.
   *
   * @param {CanvasRenderingContext2D} context
   * @param {CanvasImageSource} picture
   * @param {number} [x] picture px by which it is moved
   * @param {number} [y]
   */
  cover(context, picture, x = 0, y = 0) {
    if (this.size) context.drawImage(picture, x, y, ...this.size);
  }

  /**
   * Draw a checkerboard behind what is already there: the look of transparency.
   *
   * @param {CanvasRenderingContext2D} context
   */
  underlayChecker(context) {
    const tile = create("canvas", { width: CHECKER_PX, height: CHECKER_PX });
    const small = getContext(tile);
    small.fillStyle = "#d4d4d8";
    small.fillRect(0, 0, CHECKER_PX, CHECKER_PX);
    small.fillStyle = "#f4f4f5";
    small.fillRect(0, 0, CHECKER_PX / 2, CHECKER_PX / 2);
    small.fillRect(CHECKER_PX / 2, CHECKER_PX / 2, CHECKER_PX / 2, CHECKER_PX / 2);
    const pattern = context.createPattern(tile, "repeat");
    if (!this.size || !pattern) return;
    pattern.setTransform(new DOMMatrix().scale(1 / this.scale));
    context.globalCompositeOperation = "destination-over";
    context.fillStyle = pattern;
    context.fillRect(0, 0, ...this.size);
    context.globalCompositeOperation = "source-over";
  }
}
