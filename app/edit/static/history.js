// The strip of results below the stage.

import { create, find } from "../../widgets/static/dom.js";
import { ORIGINAL } from "../../widgets/static/protocol.js";

/** @import { Box } from "../../widgets/static/protocol.js" */
/** @import { Editor } from "./editor.js" */
/** @import { Timeline } from "./timeline.js" */

/** Size of the picture of a card, px. */
export const CARD_WIDTH = 144;
export const CARD_HEIGHT = 108;
const MARGIN_PX = 80; // left of the card that is scrolled to

/**
 * A button with a picture and a caption.
 *
 * @param {Timeline} timeline
 * @param {string} id of the picture
 * @param {string} caption
 * @param {Box} [box] the part of it that is shown, in display px
 */
export function createCard(timeline, id, caption, box) {
  const picture = create("canvas", { width: CARD_WIDTH, height: CARD_HEIGHT });
  timeline.thumbnail(id, picture, box);
  return create("button", { type: "button", className: "card" }, picture, create("span", { textContent: caption }));
}

/**
 * Show the results that are kept, and the photo as it was opened before them. Cards stay while their picture
 * does, so that nothing flickers.
 *
 * @param {Editor} editor
 */
export function drawHistory(editor) {
  const strip = find(editor.root, ".history .cards");
  const { busy, results, state, timeline } = editor;
  const ids = results.length ? [ORIGINAL, ...results.map((entry) => entry.id)] : [];
  if (timeline && strip.dataset.timeline !== timeline.id) {
    strip.replaceChildren();
    strip.dataset.timeline = timeline.id;
  }
  const cards = new Map([...strip.querySelectorAll("button")].map((card) => [card.dataset.id, card]));
  for (const [id, card] of cards) if (!ids.includes(id ?? "")) card.remove();
  ids.forEach((id, place) => {
    let card = cards.get(id);
    if (!card && timeline) {
      const title = id === ORIGINAL ? "Original" : `Result ${id}`;
      card = Object.assign(createCard(timeline, id, title), { title });
      card.dataset.id = id;
      card.addEventListener("click", () => editor.select(id));
      strip.insertBefore(card, strip.children[place] ?? null);
    }
    if (!card) return;
    const chosen = id === (state.shown ?? state.base);
    card.setAttribute("aria-pressed", String(chosen));
    card.disabled = busy;
    if (chosen) strip.scrollTo({ left: card.offsetLeft - MARGIN_PX, behavior: "smooth" });
  });
}
