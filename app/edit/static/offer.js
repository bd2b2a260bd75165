// The offer to go on with what this browser has kept.

import { create, find } from "../../widgets/static/dom.js";
import { takeLoss } from "../../widgets/static/lifeline.js";
import { discard, findWork } from "./keeper.js";

/** @import { Component } from "../../widgets/static/protocol.js" */
/** @import { Editor } from "./editor.js" */

const LOST = "The page was loaded anew, and what was under way is lost.";

/**
 * Show the offer on the empty stage, if there is anything to go on with.
 *
 * @param {Editor} editor
 * @param {Component} component
 */
export async function offerWork(editor, component) {
  if (takeLoss()) editor.notice("warn", LOST);
  const work = await findWork();
  if (!work || editor.timeline) return;
  const frame = find(editor.root, ".kept");
  const { file, example } = work.source;
  find(frame, ".name").textContent = file?.name ?? example ?? "";
  frame.prepend(create("img", { src: work.picture, alt: "" }));
  find(frame, ".go-on").addEventListener("click", () => {
    editor.keeper.open(work);
    component.trigger("restore"); // the settings
  });
  find(frame, ".discard").addEventListener("click", () => {
    void discard();
    frame.hidden = true;
  });
  frame.hidden = false;
}
