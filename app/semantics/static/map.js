// The map over the photo: what is shown, what is pointed at, what is chosen as the mask.

import { setPressed, setSlider } from "../../widgets/static/controls.js";
import { copyCanvas, find, getContext } from "../../widgets/static/dom.js";
import { Viewer } from "../../widgets/static/viewer.js";
import { LabelMap } from "./labels.js";
import { drawLegend, formatPercent } from "./legend.js";
import { MapConversation } from "./requests.js";

/** @import { Component, MapAnswer, MaskAnswer } from "../../widgets/static/protocol.js" */
/** @import { Workbench } from "../../widgets/static/workbench.js" */
/** @import { Look } from "./labels.js" */
/** @import { Choice } from "./requests.js" */

const HINT = "Type what may be in the photo, then press Show map.";
const TINT = "#ff3d68"; // of the hole's border, as in the editor
const UNSEEN = "#8a8a90";
const DIRECTIONS = [[1, 0], [-1, 0], [0, 1], [0, -1], [0.7, 0.7], [0.7, -0.7], [-0.7, 0.7], [-0.7, -0.7]];

export class MapViewer extends Viewer {
  /**
   * @param {HTMLElement} root
   * @param {Component} component
   * @param {Workbench} bench
   */
  constructor(root, component, bench) {
    super(root, bench, ["photo", "labels", "outline"], "#map-button");
    this.view.painters = {
      photo: (context) => this.paintPhoto(context),
      labels: (context) => this.paintLabels(context),
      outline: (context) => this.paintOutline(context),
    };
    /** Of the photo that is shown. @type {LabelMap | null} */
    this.map = null;
    /** The mask that the map was made without looking under. @type {HTMLCanvasElement | null} */
    this.hole = null;
    /** @type {Look} */
    this.look = "labels";
    this.adding = false;
    this.opened = false; // the tab was, once
    this.conversation = new MapConversation(this, component);
    this.setOpacity(60);
    this.refresh();
  }

  /** Show what the editor shows. A map of another photo goes; one of this photo stays. */
  follow() {
    if (!this.visible) return;
    if (!this.opened) this.conversation.component.trigger("seen");
    this.opened = true;
    document.body.dataset.sairMarked = String(Boolean(this.bench.editor.mask?.bounds()));
    if (!this.adoptPhoto()) return;
    this.setMap(null);
    if (!this.busy) this.notice("info", HINT);
  }

  refresh() {
    const map = this.map ? "shown" : this.timeline ? "ready" : "empty";
    Object.assign(this.root.dataset, { map, working: this.busy, look: this.look });
    document.body.dataset.sairMap = this.busy ? "busy" : map;
    for (const name of ["labels", "confidence"]) setPressed(this.root, name, this.look === name);
    setPressed(this.root, "add", this.adding);
  }

  /**
   * @param {LabelMap | null} map
   * @param {HTMLCanvasElement | null} hole
   */
  setMap(map, hole = null) {
    this.map = map;
    this.hole = hole;
    this.bench.map = map;
    drawLegend(this);
    this.setLook(this.look);
    this.view.redraw();
  }

  /** @param {number} percent */
  setOpacity(percent) {
    setSlider(find(this.root, ".size"), percent, `${percent} %`);
    this.view.layers.labels.style.opacity = String(percent / 100);
  }

  /** @param {Look} look */
  setLook(look) {
    this.look = look;
    this.map?.paint(look);
    this.view.redraw("labels");
    this.refresh();
  }

  /** Whether what is clicked is added to the mask. */
  toggleAdding() {
    this.adding = !this.adding;
    this.refresh();
  }

  /**
   * Let one label stand out.
   *
   * @param {number | null} index its place in the legend
   */
  highlight(index) {
    if (!this.map || this.look !== "labels") return;
    this.map.paint(this.look, index);
    this.view.redraw("labels");
  }

  // ---- painters

  /**
   * What the map was made without is not shown below it either.
   *
   * @param {CanvasRenderingContext2D} context
   */
  paintPhoto(context) {
    this.bench.editor.paintPhoto(context, this.photo, this.view);
    if (this.hole) this.view.cover(context, this.hole);
  }

  /** @param {CanvasRenderingContext2D} context */
  paintLabels(context) {
    if (!this.map) return;
    context.imageSmoothingEnabled = false;
    this.view.cover(context, this.map.canvas);
  }

  /**
   * The border of the hole: the hole moved a little each way, less the hole itself.
   *
   * @param {CanvasRenderingContext2D} context
   */
  paintOutline(context) {
    if (!this.hole || !this.view.size) return;
    const width = 2 / this.view.scale;
    for (const [x, y] of DIRECTIONS) this.view.cover(context, this.hole, x * width, y * width);
    context.globalCompositeOperation = "destination-out";
    this.view.cover(context, this.hole);
    recolour(context, TINT, ...this.view.size);
  }

  // ---- what is pointed at and clicked

  /**
   * @param {number} x CSS px on the stage
   * @param {number} y
   * @returns {[number, number]} shares of the photo's width and height
   */
  shareAt(x, y) {
    const [left, top] = this.view.toPicture(x, y);
    const [width, height] = this.view.size ?? [1, 1];
    return [left / width, top / height];
  }

  /**
   * Say what is at a place.
   *
   * @param {number} x CSS px on the stage
   * @param {number} y
   */
  point(x, y) {
    const found = this.map?.at(...this.shareAt(x, y));
    const tip = find(this.stage, ".tip");
    tip.hidden = !found;
    if (!found) return;
    find(tip, "i").style.background = found.colour;
    find(tip, "b").textContent = found.label;
    find(tip, "span").textContent = `${formatPercent(found.confidence)} sure`;
    const left = Math.max(0, Math.min(x + 14, this.stage.clientWidth - tip.offsetWidth - 8));
    const top = y + 18 + tip.offsetHeight > this.stage.clientHeight ? y - tip.offsetHeight - 10 : y + 18;
    tip.style.transform = `translate(${left}px, ${top}px)`;
  }

  /**
   * Choose the region at a place.
   *
   * @param {number} x CSS px on the stage
   * @param {number} y
   * @param {boolean} shift
   */
  click(x, y, shift) {
    const [across, down] = this.shareAt(x, y);
    if (!this.map?.at(across, down) || !this.timeline) return;
    const [width, height] = this.timeline.size;
    this.choose({ at: [Math.floor(across * width), Math.floor(down * height)] }, shift);
  }

  /**
   * Make something the mask.
   *
   * @param {Choice} choice
   * @param {boolean} shift
   */
  choose(choice, shift) {
    if (this.busy) return;
    if (this.bench.editor.busy) {
      return this.notice("warn", "The editor is still at work. Wait until it is done, then click again.");
    }
    this.conversation.choose({ ...choice, add: shift || this.adding });
  }

  /** Ask again after a setting has changed, if there is a map to be changed. */
  askAgain() {
    if (this.map && !this.busy) this.bench.pressMainButton();
  }

  // ---- what the server answered

  /**
   * @param {MapAnswer} answer
   * @param {ImageBitmap[]} bitmaps
   */
  showMap(answer, [bitmap]) {
    const { editor } = this.bench;
    const { timeline, photo, mask } = this.conversation.asked;
    if (timeline !== editor.timeline || photo !== editor.seenId() || !timeline || !photo) {
      answer.notice = { level: "info", text: "The photo has changed meanwhile. Press Show map again." };
      return;
    }
    Object.assign(this, { timeline, photo });
    const { width, height } = bitmap;
    const hole = answer.hole && mask ? copyCanvas(mask, width, height) : null;
    if (hole) recolour(getContext(hole), UNSEEN, width, height);
    this.conversation.asked.mask = null; // as large as the photo
    this.setMap(new LabelMap(bitmap, answer.legend, { timeline, photo }), hole);
    this.stage.scrollIntoView({ block: "nearest" }); // in a narrow window the button is far below
  }

  /**
   * @param {MaskAnswer} answer
   * @param {ImageBitmap[]} bitmaps
   */
  showMask(answer, bitmaps) {
    const { editor } = this.bench;
    this.highlight(null);
    editor.showMask(answer, bitmaps);
    if (answer.notice) editor.notice("info", answer.notice.text);
    this.bench.openTab("edit");
  }
}

/**
 * Give what is painted so far another colour.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {string} colour
 * @param {number} width
 * @param {number} height
 */
function recolour(context, colour, width, height) {
  context.globalCompositeOperation = "source-in";
  context.fillStyle = colour;
  context.fillRect(0, 0, width, height);
  context.globalCompositeOperation = "source-over";
}
