// How a training stands, asked again and again while its tab is open.

import { setEnabled, setProgress, setSlider } from "../../widgets/static/controls.js";
import { find } from "../../widgets/static/dom.js";
import { Widget } from "../../widgets/static/widget.js";
import { drawCurve } from "./curve.js";
import { LatestConversation } from "./requests.js";

/** @import { Component, Level, RunAnswer } from "../../widgets/static/protocol.js" */
/** @import { Points } from "./curve.js" */

const SOON_MS = 2000; // between two looks while something is being trained
const LATER_MS = 15000; // otherwise, and where no answer came
const AT_END_PX = 4; // nearer to its end, the log follows what is written
const NOTHING = "\u2013";

/**
 * A training, as `describe` of app/train/actions.py sends it.
 *
 * @typedef {object} Run
 * @property {string} name
 * @property {string} state
 * @property {{ level: Level, text: string }} said how it stands, in words
 * @property {number} step
 * @property {number | null} loss
 * @property {number} share in [0, 1]
 * @property {number} seconds
 * @property {number | null} eta_seconds
 * @property {{ loss?: Points, psnr?: Points }} curves
 * @property {string} log its end
 * @property {boolean} stoppable
 * @property {boolean} resumable
 * @property {boolean} usable it has a model
 * @property {number[]} steps that have a picture
 * @property {number} at step of the picture that is sent
 */

/**
 * What is trained and used on this machine.
 *
 * @typedef {object} TrainingState
 * @property {{ name: string, state: string }[]} runs newest first
 * @property {string[]} usable names of those that have a model
 * @property {boolean} active something is being trained
 * @property {{ title: string, first: string }} model that fills now, and that the app began with
 */

/** @param {number | null} seconds */
function formatDuration(seconds) {
  if (seconds === null) return NOTHING;
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  if (hours) return `${hours} h ${minutes} min`;
  return minutes ? `${minutes} min ${Math.round(seconds % 60)} s` : `${Math.round(seconds)} s`;
}

/** @param {Run | null} run */
function describe(run) {
  return run ? `${run.name}: ${run.said.text}` : "";
}

export class TrainingView extends Widget {
  /**
   * @param {HTMLElement} root
   * @param {Component} component
   */
  constructor(root, component) {
    super(root);
    this.select = find(root, "select", HTMLSelectElement);
    /** As the server described it last. @type {Run | null} */
    this.run = null;
    /** Name of the run to look at; null is up to the server. @type {string | null} */
    this.chosen = null;
    /** Step of the validation picture to look at; null is the newest. @type {number | null} */
    this.step = null;
    this.active = false; // a training is under way, this one or another
    this.usable = ""; // the runs that have a model, as text
    this.described = ""; // how the run stood when that was last said
    this.timer = 0;
    this.width = 0;
    this.conversation = new LatestConversation(this, component);
    new ResizeObserver(() => this.resize()).observe(root);
    document.addEventListener("visibilitychange", () => this.look());
    this.refresh();
  }

  get visible() {
    return this.root.clientWidth > 0 && !document.hidden;
  }

  resize() {
    const opened = !this.width;
    this.width = this.root.clientWidth;
    this.drawCurves();
    if (opened) this.look();
  }

  // ---- asking

  look() {
    clearTimeout(this.timer);
    if (!this.visible || this.busy) return;
    this.trigger("look");
    this.lookAfter(LATER_MS);
  }

  /** @param {number} milliseconds */
  lookAfter(milliseconds) {
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.look(), milliseconds);
  }

  /** @param {string} event */
  trigger(event) {
    this.conversation.component.trigger(event);
  }

  question() {
    return { run: this.chosen, step: this.step };
  }

  /** @param {string} name of a run */
  choose(name) {
    Object.assign(this, { chosen: name, step: null });
    this.look();
  }

  /** @param {number} index of a picture */
  chooseStep(index) {
    if (!this.run) return;
    const { steps } = this.run;
    this.step = index === steps.length - 1 ? null : steps[index];
    this.showStep(this.run, steps[index]);
    this.look();
  }

  // ---- showing

  /**
   * @param {boolean} busy
   * @param {string} [text]
   */
  setBusy(busy, text = "") {
    this.busy = busy;
    if (busy) {
      this.notice("busy", text);
      find(this.root, ".status").scrollIntoView({ block: "nearest" }); // what was pressed may be far below
    } else {
      this.lookAfter(SOON_MS);
    }
    this.refresh();
  }

  /** No answer came. */
  rest() {
    this.described = "";
    this.lookAfter(LATER_MS);
  }

  /**
   * @param {Level} level
   * @param {string} text
   */
  notice(level, text) {
    super.notice(level, text);
    this.described = describe(this.run); // what is said now is newer than that
  }

  /**
   * @param {number} share
   * @param {string} [text]
   */
  progress(share, text = "") {
    this.notice("busy", text);
  }

  /** @param {RunAnswer} answer */
  showRun({ active, model, pictures, run, runs, usable }) {
    this.active = active;
    this.run = run ?? null;
    this.chosen = run?.name ?? null;
    this.showList(runs);
    this.showModel(model);
    if (run) {
      this.showFigures(run);
      this.showLog(run.log);
      this.showPicture(run, pictures[0]?.file.url);
    }
    this.drawCurves();
    this.refresh();
    // Only what is new: something else may have been answered since.
    if (run && describe(run) !== this.described) this.notice(run.said.level, run.said.text);
    this.lookAfter(active ? SOON_MS : LATER_MS);
    if (usable.join() !== this.usable) this.trigger("models"); // to begin with
    this.usable = usable.join();
  }

  /** @param {TrainingState["runs"]} runs */
  showList(runs) {
    const { select } = this;
    const texts = runs.map(({ name, state }) => `${name} (${state})`);
    if (texts.join() !== [...select.options].map((option) => option.text).join()) {
      select.replaceChildren(...runs.map(({ name }, i) => new Option(texts[i], name)));
    }
    select.disabled = !runs.length;
    select.value = this.chosen ?? "";
  }

  /** @param {TrainingState["model"]} model */
  showModel({ title, first }) {
    find(this.root, ".using b").textContent = title;
    const back = find(this.root, "[data-act=back]");
    find(back, "span").textContent = `Back to ${first}`;
    back.style.visibility = title === first ? "hidden" : "visible";
  }

  /** @param {Run} run */
  showFigures({ step, loss, seconds, eta_seconds: left, share, state }) {
    const figures = {
      step: step.toLocaleString("en"),
      loss: loss === null ? NOTHING : loss.toPrecision(3),
      time: formatDuration(seconds),
      left: formatDuration(state === "running" ? left : null),
    };
    for (const [name, text] of Object.entries(figures)) find(this.root, `[data-figure=${name}]`).textContent = text;
    setProgress(this.root, share);
  }

  /** @param {string} text */
  showLog(text) {
    const log = find(this.root, ".log");
    if (log.textContent === text) return;
    const readAbove = log.scrollHeight - log.scrollTop - log.clientHeight > AT_END_PX;
    log.textContent = text;
    if (!readAbove) log.scrollTop = log.scrollHeight;
  }

  /**
   * @param {Run} run
   * @param {string | undefined} url
   */
  showPicture(run, url) {
    const picture = find(this.root, "figure.picture");
    picture.dataset.there = String(Boolean(url));
    if (!url) return;
    this.showStep(run, this.step !== null && run.steps.includes(this.step) ? this.step : run.at);
    const image = find(picture, "img");
    if (image.getAttribute("src") !== url) image.setAttribute("src", url);
    find(picture, "a").setAttribute("href", url);
  }

  /**
   * @param {Run} run
   * @param {number} step
   */
  showStep({ steps }, step) {
    const label = find(this.root, "figure.picture .size");
    const slider = find(label, "input", HTMLInputElement);
    slider.max = String(Math.max(1, steps.length - 1));
    slider.disabled = steps.length < 2;
    setSlider(label, slider.disabled ? 1 : steps.indexOf(step), `step ${step.toLocaleString("en")}`);
  }

  drawCurves() {
    const { loss = [], psnr = [] } = this.run?.curves ?? {};
    drawCurve(find(this.root, "svg.loss", SVGSVGElement), loss, "Loss");
    drawCurve(find(this.root, "svg.psnr", SVGSVGElement), psnr, "PSNR in dB");
  }

  refresh() {
    const { active, busy, root, run } = this;
    Object.assign(root.dataset, { state: run ? "open" : "empty", run: run?.state ?? "none", working: active });
    const enabled = { stop: run?.stoppable, resume: run?.resumable && !active, use: run?.usable, back: true };
    for (const [action, possible] of Object.entries(enabled)) setEnabled(root, action, Boolean(possible) && !busy);
    document.body.dataset.sairTrain = busy || active ? "busy" : "ready";
  }
}
