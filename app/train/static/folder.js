// What is in the folder that is being typed.

import { find } from "../../widgets/static/dom.js";
import { LatestConversation } from "./requests.js";

/** @import { Component, Level } from "../../widgets/static/protocol.js" */

const TYPING_MS = 500; // without a key, before a folder is looked into

export class FolderLine {
  /**
   * @param {HTMLElement} root
   * @param {Component} component its value holds the hint that is shown while nothing is typed
   */
  constructor(root, component) {
    this.line = find(root, "p");
    this.hint = String(component.props.value.hint);
    this.timer = 0;
    this.conversation = new LatestConversation(this, component);
    this.notice("info", this.hint);
  }

  /** @param {string} text */
  setFolder(text) {
    clearTimeout(this.timer);
    this.conversation.drop(); // the answer under way is about another folder
    if (!text.trim()) return this.notice("info", this.hint);
    this.timer = window.setTimeout(() => {
      this.notice("info", "Looking at the photos");
      this.conversation.component.trigger("check");
    }, TYPING_MS);
  }

  question() {
    return {};
  }

  setBusy() {} // nothing waits for it

  /**
   * @param {Level} level
   * @param {string} text
   */
  notice(level, text) {
    this.line.dataset.level = level;
    this.line.textContent = text;
  }
}
