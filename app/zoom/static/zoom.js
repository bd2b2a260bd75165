// The photo at any scale under a divider: plain enlargement on the left, the model's on the right.

import { setEnabled, setPressed, setSlider } from "../../widgets/static/controls.js";
import { moveDivider, placeDivider } from "../../widgets/static/divider.js";
import { find } from "../../widgets/static/dom.js";
import { ORIGINAL } from "../../widgets/static/protocol.js";
import { Viewer } from "../../widgets/static/viewer.js";
import { ViewConversation, ViewRequests } from "./view_requests.js";

/** @import { LabelMap } from "../../semantics/static/labels.js" */
/** @import { Component, PhotoWindow } from "../../widgets/static/protocol.js" */
/** @import { Workbench } from "../../widgets/static/workbench.js" */
/** @import { Exporter } from "./export.js" */
/** @import { Layer } from "./view_requests.js" */

const MAX_TIMES = 64; // screen pixels per photo pixel
const MIN_TIMES = 1 / 64;
const MAX_SIDE = 1600; // px of the pictures that are asked for
const NEAR_PX = 16; // from here on the divider is taken, not the photo
const PAN_PX = 60; // that an arrow key moves the photo
const DIVIDER_STEP = 0.05;
const SLIDER_STEPS = 1000; // as many as its HTML says
const LABEL_OPACITY = 0.6;
const CAPTIONS = { bicubic: "Bicubic", nearest: "Nearest", labels: "Labels" };
/** @type {Record<string, [number, number]>} */
const ARROWS = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

/** @typedef {keyof typeof CAPTIONS} Baseline what the model's picture is compared with */

/** @param {number} times */
function formatTimes(times) {
  return String(Number(times.toFixed(times < 10 ? 2 : 1)));
}

export class ZoomViewer extends Viewer {
  /**
   * @param {HTMLElement} root
   * @param {Component} component
   * @param {Workbench} bench
   */
  constructor(root, component, bench) {
    super(root, bench, ["before", "after"], "#export-button");
    this.view.painters = {
      before: (context) => this.paint(context, "before"),
      after: (context) => this.paint(context, "after"),
    };
    this.view.limits = () => this.limits();
    this.view.onchange = () => this.update();
    /** What the editor saw and could save when it was last looked at. @type {[string | null, string | null]} */
    this.followed = [null, null];
    /** Id of what is shown: the editor's, or the other one of the switch. @type {string | null} */
    this.shown = null;
    /** @type {Baseline} */
    this.baseline = "bicubic";
    /** The Semantics tab's, where it is of what is shown. @type {LabelMap | null} */
    this.map = null;
    this.mapsSeen = 0;
    this.divider = 0.5;
    /** @type {Exporter | null} */
    this.exporter = null;
    this.requests = new ViewRequests(this, component);
    this.conversation = new ViewConversation(this.requests, component);
    this.refresh();
  }

  /** Whether pictures can be asked for. */
  get ready() {
    return this.visible && Boolean(this.timeline) && !this.busy;
  }

  /** Id of the result that can be switched to; null where nothing is filled. */
  get result() {
    return this.followed[1];
  }

  /** Show what the editor shows. */
  follow() {
    if (!this.visible) return;
    const { editor } = this.bench;
    const [seen, saveable] = [editor.seenId(), editor.saveableId()];
    if (editor.timeline !== this.timeline || seen !== this.followed[0] || saveable !== this.followed[1]) {
      this.followed = [seen, saveable];
      this.shown = seen; // before anything is drawn: ids belong to their timeline
      this.requests.drop();
      this.adoptPhoto();
      this.view.redraw();
    }
    this.refresh();
    this.requests.ask(); // what was wanted when another tab was opened
  }

  refresh() {
    const { baseline, root, timeline } = this;
    this.adoptMap();
    Object.assign(root.dataset, {
      state: timeline ? "open" : "empty",
      view: timeline ? "compare" : "none",
      working: this.requests.busy || this.busy,
    });
    setPressed(root, "original", Boolean(timeline) && this.shown === ORIGINAL);
    setPressed(root, "filled", Boolean(timeline) && this.shown !== ORIGINAL);
    setEnabled(root, "filled", Boolean(this.result));
    setEnabled(root, "labels", Boolean(this.map));
    for (const name of Object.keys(CAPTIONS)) setPressed(root, name, baseline === name);
    find(root, ".tag.was").textContent = CAPTIONS[baseline];
    this.exporter?.refresh();
  }

  /** Take over the map of what is shown: another one than before, or none, changes what "Labels" shows. */
  adoptMap() {
    const { map } = this.bench;
    const ours = map && map.source.timeline === this.timeline && map.source.photo === this.shown ? map : null;
    if (ours === this.map) return;
    this.map = ours;
    this.mapsSeen += 1;
    if (this.baseline === "labels") this.setBaseline(ours ? "labels" : "bicubic");
  }

  /** @param {string | null} id of the photo or a result */
  show(id) {
    if (!this.timeline || !id || id === this.shown) return;
    this.shown = id;
    this.requests.drop();
    this.view.redraw();
    this.refresh();
  }

  /** @param {Baseline} name */
  setBaseline(name) {
    this.baseline = name;
    this.requests.drop("before");
    this.view.redraw();
    this.refresh();
  }

  /** @param {number} share */
  setDivider(share) {
    moveDivider(this, share);
  }

  // ---- scale

  /** CSS px per picture px at which a screen pixel is a photo pixel. */
  unit() {
    return 1 / ((window.devicePixelRatio || 1) * (this.timeline?.scale ?? 1));
  }

  /** @returns {[number, number]} */
  limits() {
    const fit = this.view.fitScale();
    return [Math.min(fit, this.unit()), Math.max(fit, MAX_TIMES * this.unit())];
  }

  /** Screen pixels per photo pixel. */
  get times() {
    return this.view.scale / this.unit();
  }

  /** @param {number} times */
  setTimes(times) {
    if (this.timeline && times > 0) this.view.zoom(times / this.times);
    this.showTimes(true);
  }

  /** @param {number} step of the slider, whose way is even in doublings */
  slideTo(step) {
    if (!this.timeline) return;
    const [least, most] = this.limits();
    this.view.zoom((least * (most / least) ** (step / SLIDER_STEPS)) / this.view.scale);
  }

  /** @param {boolean} [replace] what is being typed, too */
  showTimes(replace = false) {
    if (!this.timeline) return;
    const [least, most] = this.limits();
    const share = Math.log(this.view.scale / least) / Math.log(most / least);
    const label = find(this.root, ".size");
    setSlider(label, SLIDER_STEPS * share);
    find(label, "input").setAttribute("aria-valuetext", `${formatTimes(this.times)}x`);
    const field = find(this.root, ".times input", HTMLInputElement);
    if (replace || document.activeElement !== field) field.value = formatTimes(this.times);
  }

  /** What is seen, in words. */
  summary() {
    const times = formatTimes(this.times);
    if (this.times <= 1 && this.baseline !== "labels") {
      return `${times}x: the photo's own pixels on both sides. Zoom in to compare.`;
    }
    return `Sharp at ${times}x: ${CAPTIONS[this.baseline]} on the left, SAIR on the right.`;
  }

  // ---- what is in view

  /** The view has changed, or what is shown there. */
  update() {
    placeDivider(this);
    this.showTimes();
    this.exporter?.refresh();
    const map = this.baseline === "labels" ? this.mapsSeen : 0;
    this.requests.update([this.timeline?.id, this.shown, this.baseline, map, this.window()]);
  }

  /**
   * The visible part of the photo: its corner in photo px, and its size in the screen's own pixels, of which its
   * corner is a whole number away from the photo's.
   *
   * @param {number} most a longer side is reduced to that
   * @returns {PhotoWindow}
   */
  window(most = MAX_SIDE) {
    const { stage, times, timeline, view } = this;
    const [photoWidth, photoHeight] = timeline?.size ?? [1, 1];
    const ratio = window.devicePixelRatio || 1;
    /** @type {(corner: number, photo: number, side: number) => [number, number]} */
    const visible = (corner, photo, side) => {
      const end = Math.min(Math.floor(photo * times + 1e-6), Math.round(side * ratio) - corner);
      return [Math.max(0, -corner), end];
    };
    const [x, y] = view.corner();
    const [left, right] = visible(x, photoWidth, stage.clientWidth);
    const [top, bottom] = visible(y, photoHeight, stage.clientHeight);
    const reduced = Math.min(1, most / Math.max(right - left, bottom - top));
    return {
      top: top / times,
      left: left / times,
      scale: Math.max(MIN_TIMES, Math.min(MAX_TIMES, times * reduced)),
      width: Math.max(1, Math.floor((right - left) * reduced)),
      height: Math.max(1, Math.floor((bottom - top) * reduced)),
    };
  }

  /**
   * Paint at once what the browser has; over it the server's pictures where there are some.
   *
   * @param {CanvasRenderingContext2D} context
   * @param {Layer} layer
   */
  paint(context, layer) {
    const { baseline, map, shown, timeline } = this;
    if (!timeline || !shown) return;
    const plain = layer === "before";
    context.imageSmoothingEnabled = !(plain && baseline === "nearest");
    timeline.draw(context, shown);
    if (plain && baseline === "labels" && map?.look === "labels") {
      context.globalAlpha = LABEL_OPACITY;
      context.imageSmoothingEnabled = false;
      this.view.cover(context, map.canvas);
      context.globalAlpha = 1;
    }
    this.requests.draw(context, layer);
    if (timeline.alpha) this.view.underlayChecker(context);
  }

  /** @param {number} x CSS px on the stage */
  isNearDivider(x) {
    const { left, right } = this.view.frame();
    return Math.abs(x - left - this.divider * (right - left)) < NEAR_PX;
  }

  /**
   * A key while the stage or the divider has the focus; return whether it was one of ours.
   *
   * @param {string} key
   * @param {boolean} onDivider
   */
  press(key, onDivider) {
    const [dx, dy] = ARROWS[key] ?? [0, 0];
    if (key in ARROWS && onDivider) this.setDivider(this.divider - DIVIDER_STEP * (dx || -dy));
    else if (key in ARROWS) this.view.pan(PAN_PX * dx, PAN_PX * dy);
    else if (key === "+" || key === "=") this.view.zoom(1.4);
    else if (key === "-") this.view.zoom(1 / 1.4);
    else if (key === "0") this.view.fit();
    else return false;
    return true;
  }
}
