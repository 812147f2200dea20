// The keys of the Edit page.
import { typing } from "./dom.js";

export const KEYS = [
  ["Tab", "to the next keypoint, sample or button"],
  ["Space", "choose the keypoint, or undo its choice"],
  ["Arrows", "move the keypoint by 1 px (Shift: 5 px, Alt: 0.2 px)"],
  ["Delete", "remove the chosen parts"],
  ["A / N", "choose all parts / none"],
  ["X", "exchange the chosen parts with another sample"],
  ["L", "take the appearance of the chosen parts from another sample"],
  ["B (hold)", "show the picture before the edits"],
  ["D", "show the difference from the picture before the edits"],
  ["K", "hide or show the keypoints"],
  ["Ctrl-Z, Ctrl-Y", "undo, redo"],
  ["Esc", "stop choosing a sample"],
];

export function pressed(room, event) {
  if (typing(event) || event.ctrlKey || event.metaKey || event.repeat || document.querySelector("dialog[open]")) return;
  const actions = {
    a: () => room.choose(room.all()), n: () => room.choose([]), x: () => room.startPicking("exchange"), l: () => room.startPicking("look"),
    k: () => room.picture.togglePoints(), b: () => room.picture.look("before"), d: () => room.picture.toggleDifference(),
    delete: () => room.parts.remove(), backspace: () => room.parts.remove(), escape: () => room.stopPicking(),
  };
  if (room.info) actions[event.key.toLowerCase()]?.();
}
