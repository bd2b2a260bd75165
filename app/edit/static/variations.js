// Several fills of one hole to choose from. They take the history's place until one is taken.

import { find } from "../../widgets/static/dom.js";
import { CARD_HEIGHT, CARD_WIDTH, createCard } from "./history.js";

/** @import { Box } from "../../widgets/static/protocol.js" */
/** @import { Editor } from "./editor.js" */
/** @import { Painted } from "./mask.js" */
/** @import { Patch, Timeline } from "./timeline.js" */

const SURROUNDINGS = 0.15; // of the hole's size, shown on each side of it
let variationsMade = 0;

/**
 * The part of a photo that its cards show: all patches and a little around them, in a card's proportions.
 *
 * @param {Patch[]} patches
 * @param {Timeline} timeline
 * @returns {Box} in display px
 */
function focusOn(patches, { photo, scale }) {
  const left = Math.min(...patches.map((patch) => patch.x)) * scale;
  const top = Math.min(...patches.map((patch) => patch.y)) * scale;
  const right = Math.max(...patches.map((patch) => patch.x + patch.width)) * scale;
  const bottom = Math.max(...patches.map((patch) => patch.y + patch.height)) * scale;
  const unit = (1 + 2 * SURROUNDINGS) * Math.max((right - left) / CARD_WIDTH, (bottom - top) / CARD_HEIGHT);
  const [width, height] = [unit * CARD_WIDTH, unit * CARD_HEIGHT];
  /** @type {(middle: number, part: number, whole: number) => number} */
  const start = (middle, part, whole) =>
    part > whole ? (whole - part) / 2 : Math.max(0, Math.min(whole - part, middle - part / 2));
  const [x, y] = [start((left + right) / 2, width, photo.width), start((top + bottom) / 2, height, photo.height)];
  return [x, y, width, height];
}

export class Variations {
  /** @param {Editor} editor */
  constructor(editor) {
    this.editor = editor;
    this.root = find(editor.root, ".variations");
    this.cards = find(this.root, ".cards");
    this.back = find(this.root, ".back", HTMLButtonElement);
    this.again = find(editor.root, ".history .again", HTMLButtonElement);
    /** The ids of the timeline. @type {string[]} */
    this.ids = [];
    /** What they fill. @type {Painted | undefined} */
    this.hole = undefined;
    this.open = false; // in the history's place
    /** The one that is pointed at. @type {string | null} */
    this.previewed = null;
    this.back.addEventListener("click", () => this.toggle(false));
    this.again.addEventListener("click", () => this.toggle(true));
    editor.stage.addEventListener("pointerdown", () => this.preview(null));
    editor.stage.addEventListener("pointermove", () => this.preview(null));
  }

  /**
   * Offer fills of one hole.
   *
   * @param {string} base id of the photo or result that was filled
   * @param {{ seed: number, patches: Patch[] }[]} fills
   */
  show(base, fills) {
    const { timeline } = this.editor;
    if (!timeline) return;
    this.clear();
    this.hole = this.editor.conversation.hole;
    const box = focusOn(fills[0].patches, timeline);
    for (const { seed, patches } of fills) {
      const id = `variation ${(variationsMade += 1)}`;
      timeline.add({ id, base, patches, live: false });
      this.ids.push(id);
      this.cards.append(this.createCard(timeline, id, seed, box));
    }
    this.toggle(true);
    this.preview(this.ids[0]);
    this.editor.root.scrollIntoView({ block: "nearest" }); // in a narrow window the button is far below
  }

  /**
   * @param {Timeline} timeline
   * @param {string} id
   * @param {number} seed
   * @param {Box} box
   */
  createCard(timeline, id, seed, box) {
    const card = createCard(timeline, id, `Seed ${seed}`, box);
    card.title = `Take the fill with seed ${seed}`;
    card.dataset.seed = String(seed);
    card.addEventListener("click", () => {
      // Another hole may have been sent since, in vain.
      if (this.editor.conversation.send("take", { seed })) this.editor.conversation.hole = this.hole;
    });
    for (const name of ["pointerenter", "focus"]) card.addEventListener(name, () => this.preview(id));
    for (const name of ["pointerleave", "blur"]) card.addEventListener(name, () => this.preview(null));
    return card;
  }

  /**
   * Show one on the stage for as long as it is pointed at.
   *
   * @param {string | null} id
   */
  preview(id) {
    if (this.previewed === id || this.editor.busy) return;
    this.previewed = id;
    this.editor.view.redraw("after");
    this.editor.refresh();
  }

  /** @param {boolean} open */
  toggle(open) {
    this.open = open;
    this.previewed = null;
    this.editor.view.redraw("after");
    this.editor.refresh();
  }

  clear() {
    for (const id of this.ids) this.editor.timeline?.remove(id);
    this.ids = [];
    this.cards.replaceChildren();
    this.toggle(false);
  }

  /** Called by the editor's own `refresh`. */
  refresh() {
    const { busy, root, tried } = this.editor;
    Object.assign(root.dataset, { picking: this.open, trying: Boolean(tried) });
    this.again.hidden = !this.ids.length;
    const cards = [...this.cards.querySelectorAll("button")];
    for (const button of [...cards, this.back, this.again]) button.disabled = busy;
    for (const [i, card] of cards.entries()) card.setAttribute("aria-pressed", String(this.ids[i] === this.previewed));
  }
}
