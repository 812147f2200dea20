// The keys of the Review page.
import { typing } from "./dom.js";

export const KEYS = [
  ["← →", "the previous or the next picture"],
  ["Enter", "all keypoints of this picture are right: mark it as checked, and show the next one"],
  ["H", "the chosen keypoint is not visible"],
  ["R", "restore the detector's keypoints"],
  ["J", "to the next picture in which a keypoint jumps"],
  ["Arrows on a keypoint", "move it by 1 px (Shift: 5 px, Alt: 0.2 px)"],
  ["+ − 0", "zoom in, out, whole picture (also the wheel; drag to pan)"],
  ["Ctrl-Z", "undo the last correction"],
];

export function pressed(room, event) {
  if (room.host.inert || typing(event) || document.querySelector("dialog[open]")) return;
  const key = event.key.toLowerCase();
  if ((event.ctrlKey || event.metaKey) && key === "z") return event.preventDefault(), room.undo();
  if (event.ctrlKey || event.metaKey || event.target.matches?.("input[type=range]")) return;
  if (event.key === "Enter" && event.target.matches?.("button, a, summary")) return;
  const actions = {
    arrowleft: () => room.step(-1), arrowright: () => room.step(1), enter: () => room.check(), h: () => room.hide(), r: () => room.reset(), j: () => room.nextJump(),
    "+": () => room.view.zoomBy(1.4), "=": () => room.view.zoomBy(1.4), "-": () => room.view.zoomBy(1 / 1.4), 0: () => room.view.whole(),
  };
  if (!actions[key]) return;
  event.preventDefault();
  actions[key]();
}
