// The editor on the stage: what is open, what is shown, and what is done with it.

import { setEnabled, setPressed, setSlider } from "../../widgets/static/controls.js";
import { moveDivider, placeDivider } from "../../widgets/static/divider.js";
import { find } from "../../widgets/static/dom.js";
import { ORIGINAL } from "../../widgets/static/protocol.js";
import { StageWidget } from "../../widgets/static/widget.js";
import { extendInto } from "./guide.js";
import { drawHistory } from "./history.js";
import { Keeper } from "./keeper.js";
import { Marks } from "./marks.js";
import { EditorConversation } from "./requests.js";
import { Timeline } from "./timeline.js";
import { Touch } from "./touch.js";
import { Variations } from "./variations.js";

/** @import { Component, MaskAnswer, PhotoAnswer, ResultAnswer } from "../../widgets/static/protocol.js" */
/** @import { VariationsAnswer } from "../../widgets/static/protocol.js" */
/** @import { Viewport } from "../../widgets/static/viewport.js" */
/** @import { Workbench } from "../../widgets/static/workbench.js" */
/** @import { Tool } from "./marks.js" */
/** @import { EditState, Step } from "./timeline.js" */

const NO_PHOTO = "Open a photo first: drop it on the page, paste it or choose a file.";
const HINT = "Brush over what should go, then press Fill.";
const READY = "Press Fill when everything that should go is covered.";
const SOURCES_ENGINE = "Natural"; // takes texture from the photo: from what is marked, if anything is
const GUIDE = "guide"; // its id in the timeline
const MIN_DIAMETER = 3; // CSS px
const MAX_DIAMETER = 240;

export class Editor extends StageWidget {
  /**
   * @param {HTMLElement} root
   * @param {Component} component
   * @param {Workbench} bench
   */
  constructor(root, component, bench) {
    super(root, bench, ["before", "after", ...Marks.names], "#fill-button");
    this.view.onchange = () => placeDivider(this);
    this.view.painters = {
      before: (context) => this.paintPhoto(context, this.beforeId()),
      after: (context) => this.paintPhoto(context, this.tried ?? this.state.shown),
      mask: (context) => this.marks && context.drawImage(this.marks.mask.canvas, 0, 0),
      source: (context) => this.marks && context.drawImage(this.marks.source.canvas, 0, 0),
    };
    /** @type {Timeline | null} */
    this.timeline = null;
    /** @type {Marks | null} */
    this.marks = null;
    /** @type {EditState} */
    this.state = { base: ORIGINAL, shown: null, view: "paint" };
    /** @type {Tool} */
    this.tool = "brush";
    this.heedsSources = true; // the engine that is chosen at first
    this.diameter = 40; // CSS px on the stage, whatever the zoom
    this.divider = 0; // 0 = only the result, 1 = only the photo before
    this.holding = false; // the original is shown for as long as a key or button is held
    this.conversation = new EditorConversation(this, component);
    this.keeper = new Keeper(this);
    this.variations = new Variations(this);
    this.touch = new Touch(this);
    bench.editor = this;
    this.setTool("brush");
    this.setDiameter(this.diameter);
    this.refresh();
  }

  // ---- what is on the stage

  /** What is marked to go; null where no photo is open. */
  get mask() {
    return this.marks?.mask ?? null;
  }

  /** Id of the photo or result that is looked at; null where none is open. */
  seenId() {
    const { view, shown, base } = this.state;
    return this.timeline && (view === "compare" && shown ? shown : base);
  }

  /** Id of what is on the stage in the result's place for now: the guide of a fill, or a variation; null for neither. */
  get tried() {
    return this.timeline?.entries.has(GUIDE) ? GUIDE : this.variations.previewed;
  }

  /** Id of what can be saved; null where nothing is filled yet. */
  saveableId() {
    return this.state.shown ?? (this.state.base === ORIGINAL ? null : this.state.base);
  }

  /** Id of what lies left of the divider, or is painted on. */
  beforeId() {
    return this.holding || this.state.view === "compare" ? ORIGINAL : this.state.base;
  }

  /** What was filled and is still kept on the server. */
  get results() {
    return this.timeline ? [...this.timeline.entries.values()].filter((entry) => entry.live) : [];
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {string | null} id
   * @param {Viewport} [view] whose picture it is
   */
  paintPhoto(context, id, view = this.view) {
    if (!id || !this.timeline) return;
    this.timeline.draw(context, id);
    if (this.timeline.alpha) view.underlayChecker(context);
  }

  /** @param {Partial<EditState>} state */
  setState(state) {
    const next = { ...this.state, ...state };
    if (!next.shown) next.view = "paint";
    const { base, shown, view } = this.state;
    const changed = next.base !== base || next.shown !== shown || next.view !== view;
    this.state = next;
    if (changed) this.view.redraw();
    this.keeper.keepMarks();
    this.refresh();
  }

  /** @param {EditState["view"]} view */
  setView(view) {
    if (this.timeline && !this.busy) this.setState({ view });
  }

  /** @param {Tool} tool */
  setTool(tool) {
    if (tool === "source" && !this.heedsSources) return;
    this.tool = tool;
    this.touch.reset();
    for (const name of ["brush", "source", "erase", "select"]) setPressed(this.root, name, name === tool);
    this.root.dataset.tool = tool;
  }

  /**
   * Sources are heeded by one engine only: with another one their brush is put away.
   *
   * @param {string} engine
   */
  setEngine(engine) {
    document.body.dataset.sairEngine = engine.toLowerCase();
    this.heedsSources = engine === SOURCES_ENGINE;
    if (this.tool === "source" && !this.heedsSources) this.setTool("brush");
    this.refresh();
  }

  redrawMarks() {
    this.view.redraw(...Marks.names);
  }

  /** @param {number} diameter */
  setDiameter(diameter) {
    this.diameter = Math.round(Math.max(MIN_DIAMETER, Math.min(MAX_DIAMETER, diameter)));
    setSlider(find(this.root, ".size"), this.diameter, String(this.diameter));
    this.stage.style.setProperty("--brush", `${this.diameter}px`);
  }

  /**
   * Show the original for as long as a key or button is held.
   *
   * @param {boolean} on
   */
  hold(on) {
    if (!this.timeline || this.holding === on) return;
    this.holding = on;
    this.view.redraw("before");
    this.refresh();
  }

  /** @param {number} share */
  setDivider(share) {
    moveDivider(this, share);
  }

  refresh() {
    const { busy, holding, results, root, state, timeline } = this;
    const saveable = Boolean(this.saveableId());
    const opened = timeline ? "open" : "empty";
    const counts = { results: results.length, saveable, sources: this.heedsSources };
    Object.assign(root.dataset, { state: opened, view: state.view, busy, holding, ...counts });
    Object.assign(document.body.dataset, {
      sair: busy ? "busy" : opened,
      sairResult: saveable,
      sairNext: state.view === "compare" ? "save" : "fill",
    });
    for (const name of ["paint", "compare"]) setPressed(root, name, state.view === name);
    const enabled = {
      undo: timeline?.past.length, redo: timeline?.future.length, compare: state.shown,
      paint: timeline, original: timeline, zoomin: timeline, zoomout: timeline, fit: timeline,
    };
    for (const [name, possible] of Object.entries(enabled)) setEnabled(root, name, Boolean(possible) && !busy);
    setEnabled(root, "source", this.heedsSources);
    drawHistory(this);
    this.variations.refresh();
    this.bench.announce();
  }

  // ---- while the server fills

  /** Show at once about what the fill will be. It is no result: it goes when the answer comes, whatever that is. */
  showGuide() {
    const { marks, state, timeline } = this;
    const guide = timeline && marks && extendInto(timeline.image(state.base), marks.mask);
    if (!guide) return;
    const { bitmap, ...box } = guide;
    timeline.add({ id: GUIDE, base: state.base, patches: [{ bitmap, ...timeline.toPhoto(box) }], live: false });
    this.view.redraw("after");
    this.refresh();
  }

  /**
   * @param {boolean} busy
   * @param {string} [text]
   */
  setBusy(busy, text) {
    if (!busy && this.tried === GUIDE) {
      this.timeline?.remove(GUIDE);
      this.view.redraw("after");
    }
    super.setBusy(busy, text);
  }

  // ---- files

  choosePhoto() {
    find(this.root, "input.photo-file").click();
  }

  chooseMask() {
    find(this.root, "input.mask-file").click();
  }

  // ---- steps that can be taken back

  /**
   * Run a change of the marks as one step; `state` goes with it where the step also moves on.
   *
   * @param {(marks: Marks) => void} change
   * @param {EditState | null} state
   */
  step(change, state = null) {
    if (!this.marks || this.busy) return;
    this.marks.begin();
    change(this.marks);
    this.redrawMarks();
    this.finishStep(state);
  }

  /** @param {EditState | null} state */
  finishStep(state = null) {
    const change = this.marks?.commit() ?? null;
    if (change || state) this.timeline?.push({ change, from: this.state, to: state ?? this.state });
    // What is being painted should be seen: any change of the marks leads back to the painting view.
    this.setState(state ?? { view: "paint" });
    if (change) this.notice("info", this.hint());
  }

  hint() {
    return this.mask?.touched.size ? READY : HINT;
  }

  undo() {
    if (!this.timeline || this.busy) return;
    const step = this.timeline.undo();
    if (!step) return this.notice("info", "Nothing to undo.");
    const toMarks = this.swapMarks(step);
    this.setState(toMarks ? { view: "paint" } : step.from);
    this.notice("info", step.change ? this.hint() : "Fill undone. The mask is still there.");
  }

  redo() {
    if (!this.timeline || this.busy) return;
    const step = this.timeline.redo();
    if (!step) return this.notice("info", "Nothing to redo.");
    const toMarks = this.swapMarks(step);
    this.setState(toMarks ? { view: "paint" } : step.to);
    this.notice("info", this.hint());
  }

  /**
   * Take the marks' half of a step back or in again; return whether that is all of it.
   *
   * @param {Step} step
   */
  swapMarks({ change, from, to }) {
    if (change) {
      this.marks?.swap(change);
      this.redrawMarks();
    }
    return from.view === to.view && from.base === to.base;
  }

  clearMarks() {
    if (!this.timeline) return this.notice("warn", NO_PHOTO);
    this.step((marks) => marks.clear());
  }

  invertMask() {
    if (!this.timeline) return this.notice("warn", NO_PHOTO);
    this.step((marks) => marks.mask.invert());
  }

  // ---- results

  /** @param {string} id of the photo or a result */
  select(id) {
    if (this.busy) return;
    if (id === ORIGINAL) this.setState({ base: ORIGINAL, shown: null, view: "paint" });
    else this.setState({ shown: id, view: "compare" });
  }

  /** Go on from the result that is shown. */
  useAsPhoto() {
    const { shown } = this.state;
    if (this.busy) return;
    if (!shown) return this.notice("warn", "There is no result yet. Paint something and press Fill first.");
    this.step((marks) => marks.clear(), { base: shown, shown: null, view: "paint" });
    this.notice("info", "You now edit this result. Brush over the next thing, then press Fill.");
  }

  // ---- what the server answered

  /**
   * @param {PhotoAnswer} answer
   * @param {ImageBitmap[]} bitmaps
   */
  showPhoto({ alpha, height, width }, [photo]) {
    this.variations.clear();
    this.touch.reset();
    this.timeline = new Timeline(photo, [width, height], alpha);
    this.marks = new Marks(photo.width, photo.height);
    this.state = { base: ORIGINAL, shown: null, view: "paint" };
    this.divider = 0;
    this.view.open(photo.width, photo.height);
    this.refresh();
    void this.keeper.keepPhoto();
  }

  /** The server no longer has the photo. */
  showLost() {
    void this.keeper.reopen();
  }

  /**
   * @param {ResultAnswer} answer
   * @param {ImageBitmap[]} bitmaps
   */
  showResult({ base, live, pictures, result }, bitmaps) {
    const { timeline } = this;
    if (!timeline) return;
    const patches = pictures.map((picture, i) => ({ ...picture, bitmap: bitmaps[i] }));
    timeline.add({ id: result, base, patches, hole: this.conversation.hole, live: true });
    for (const entry of timeline.entries.values()) entry.live = live.includes(entry.id);
    this.variations.toggle(false);
    /** @type {EditState} */
    const to = { ...this.state, shown: result, view: "compare" };
    timeline.push({ change: null, from: { ...this.state, view: "paint" }, to });
    this.setDivider(0);
    this.setState(to);
  }

  /**
   * @param {VariationsAnswer} answer parts: how many of the pictures belong to each seed
   * @param {ImageBitmap[]} bitmaps
   */
  showVariations({ base, seeds, parts, pictures }, bitmaps) {
    const patches = pictures.map((picture, i) => ({ ...picture, bitmap: bitmaps[i] }));
    this.variations.show(base, seeds.map((seed, i) => ({ seed, patches: patches.slice(i * parts, (i + 1) * parts) })));
  }

  /**
   * @param {MaskAnswer} answer of: the photo that the mask belongs to, where it need not be the one that is edited
   * @param {ImageBitmap[]} bitmaps
   */
  showMask({ pictures, of, add, touched }, [picture]) {
    const { x, y } = pictures[0];
    if (touched) return this.touch.show(picture, x, y);
    /** @type {EditState | null} */
    const move = of && of !== this.state.base ? { base: of, shown: null, view: "paint" } : null;
    this.step((marks) => marks.mask.load(picture, x, y, add), move);
  }
}
