// The map's conversation with the server: which labels are where, and which of them becomes the mask.

import { copyCanvas } from "../../widgets/static/dom.js";
import { Conversation } from "../../widgets/static/protocol.js";

/** @import { Timeline } from "../../edit/static/timeline.js" */
/** @import { Request } from "../../widgets/static/protocol.js" */
/** @import { MapViewer } from "./map.js" */

/** @typedef {{ label: number } | { at: number[] }} Choice place in the legend, or x and y in photo px */

/**
 * What the answer under way belongs to.
 *
 * @typedef {object} Asked
 * @property {Timeline | null} timeline
 * @property {string | null} photo id of the photo or result
 * @property {HTMLCanvasElement | null} mask where it was sent
 */

/** @extends {Conversation<MapViewer>} */
export class MapConversation extends Conversation {
  /** What was clicked. @type {(Choice & { add: boolean }) | null} */
  choice = null;
  /** @type {Asked} */
  asked = { timeline: null, photo: null, mask: null };

  /** @param {Choice & { add: boolean }} choice */
  choose(choice) {
    this.choice = choice;
    this.component.trigger("choose");
  }

  /**
   * @param {string} busyText
   * @param {string} part
   * @returns {Promise<Request>}
   */
  async request(busyText, part) {
    const { asker, choice } = this;
    const { editor } = asker.bench;
    this.choice = null;
    // A copy: it may be painted on before the answer is there.
    const mask = part === "mask" && editor.mask ? copyCanvas(editor.mask.canvas) : null;
    this.asked = { timeline: editor.timeline, photo: editor.seenId(), mask };
    asker.setBusy(true, busyText);
    return { ...(await editor.conversation.describe(part)), ...choice };
  }
}
