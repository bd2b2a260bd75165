// The ways in which photos and masks come to the editor: chosen, pasted, dropped, or an example.

import { create, find, isTyping } from "../../widgets/static/dom.js";

/** @import { Editor } from "./editor.js" */

/** @typedef {{ name: string, label: string, thumbnail: string }} Example thumbnail: a data URI */

/** @param {Editor} editor */
export function bindFiles(editor) {
  const { conversation, root } = editor;
  bindInput(find(root, "input.photo-file", HTMLInputElement), (file) => conversation.openPhoto(file));
  bindInput(find(root, "input.mask-file", HTMLInputElement), (file) => conversation.openMask(file));
  document.addEventListener("paste", (event) => {
    if (!isTyping(event)) conversation.openPhoto(findPhoto(event.clipboardData));
  });
  bindDrop((file) => conversation.openPhoto(file));
}

/**
 * @param {HTMLInputElement} input
 * @param {(file: File | undefined) => void} open
 */
function bindInput(input, open) {
  input.addEventListener("change", () => {
    open(input.files?.[0]);
    input.value = ""; // the same file may be chosen again
  });
}

/**
 * Take what is dropped anywhere on the page, and show that it will be.
 *
 * @param {(file: File | undefined) => void} open
 */
function bindDrop(open) {
  let depth = 0; // dragenter and dragleave also fire for every child that is crossed
  /** @type {(change: number) => void} */
  const enter = (change) => {
    depth = Math.max(0, depth + change);
    document.body.classList.toggle("sair-dragging", depth > 0);
  };
  /** @type {(name: "dragenter" | "dragleave" | "dragover" | "drop", handle: (event: DragEvent) => void) => void} */
  const on = (name, handle) =>
    document.addEventListener(name, (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      handle(event);
    });
  on("dragenter", () => enter(1));
  on("dragleave", () => enter(-1));
  on("dragover", () => {});
  on("drop", (event) => {
    enter(-depth);
    open(findPhoto(event.dataTransfer));
  });
}

/**
 * Return the first photo of what was pasted or dropped, or at least the first file.
 *
 * @param {DataTransfer | null} transfer
 * @returns {File | undefined}
 */
function findPhoto(transfer) {
  const files = [...(transfer?.files ?? [])];
  return files.find((file) => file.type.startsWith("image/")) ?? files[0];
}

/**
 * Offer photos to try.
 *
 * @param {Editor} editor
 * @param {Example[]} examples
 */
export function showExamples({ conversation, root }, examples) {
  const frame = find(root, ".examples");
  frame.hidden = !examples.length;
  for (const { name, label, thumbnail } of examples) {
    const picture = create("img", { src: thumbnail, alt: label });
    const button = create("button", { type: "button", title: `Open the example: ${label}` }, picture);
    button.addEventListener("click", () => conversation.openExample(name));
    find(frame, ".shelf").append(button);
  }
}
