// One picture of the Edit page with its caption: before the edits, after them, or their difference.
import { h } from "./dom.js";
import { difference } from "./edit-draw.js";
import { PointView } from "./points.js";

export class Pane {
  constructor(listeners, label) {
    this.view = new PointView(listeners, { label });
    this.caption = h("figcaption", {}, "Drawing…");
    this.element = h("figure", {}, this.view.element, this.caption);
    this.before = null;
    this.after = null;
  }

  // Shows no picture until the next one has arrived.
  wait() {
    this.after = null;
    this.view.clear();
    this.element.setAttribute("aria-busy", "true");
    this.caption.textContent = "Drawing…";
  }

  // The picture that was waited for could not be drawn.
  fail() {
    this.element.removeAttribute("aria-busy");
    this.caption.textContent = "This picture could not be drawn.";
  }

  // shows: "after", "before" or "difference". Returns the mean difference in grey levels.
  paint(shows) {
    const { after, before } = this;
    if (!after) return 0;
    this.element.removeAttribute("aria-busy");
    const apart = before ? difference(after, before) : { mean: 0 };
    this.view.paint({ after, before: before || after, difference: apart.picture || after }[shows]);
    return apart.mean;
  }
}
