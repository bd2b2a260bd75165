// Conversations in which only the newest question matters.

import { Conversation } from "../../widgets/static/protocol.js";

/** @import { Answer, Asker, Request } from "../../widgets/static/protocol.js" */

/** @typedef {Asker & { question(): Request, rest?(): void }} Repeater rest: called where no answer came */

/** @extends {Conversation<Repeater>} */
export class LatestConversation extends Conversation {
  number = 0; // of the newest question

  /**
   * @param {string} busyText where it is empty, nothing waits for the answer
   * @returns {Promise<Request>}
   */
  async request(busyText) {
    this.number += 1;
    if (busyText) this.asker.setBusy(true, busyText);
    return { number: this.number, ...this.asker.question() };
  }

  /** An answer that is still under way is no longer wanted. */
  drop() {
    this.number += 1;
  }

  /** @param {Partial<Answer> | null} value */
  async receive(value) {
    if (value?.request === undefined || value.request === this.number) await super.receive(value);
  }

  fail() {
    super.fail();
    this.asker.rest?.();
  }
}
