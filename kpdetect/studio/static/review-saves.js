// Saves of the Review page's corrections.
import { Refusal, get, isForGood, post, sayWrong } from "./api.js";
import { Saves } from "./saves.js";

export class CorrectionSaves {
  // room: set, data, showSaved(row, checked)
  constructor(room) {
    this.room = room;
    this.saves = new Saves();
    this.unsaved = new Map(); // the newest corrections of each picture that are not saved yet
    this.refusals = {};
  }

  // A save that was asked for before the page showed what another page had saved does not run: it would replace it.
  add(row, image, points) {
    const refusals = this.refusals[image] || 0;
    this.unsaved.set(image, { row, points, failed: false });
    this.saves.add(() => refusals === (this.refusals[image] || 0) && this.send(row, image, points));
  }

  // Saves the newest corrections of the pictures whose saves failed.
  retry() {
    for (const [image, { row, points, failed }] of this.unsaved) if (failed) this.add(row, image, points);
  }

  // Waits for all saves, and runs those again that failed.
  async done() {
    await this.saves.settled();
    this.retry();
    await this.saves.settled();
    if (this.unsaved.size) throw new Refusal(`The corrections of ${[...this.unsaved.keys()].join(", ")} are not saved.`, 0);
  }

  async send(row, image, points) {
    const { set, data } = this.room;
    const isNewest = () => this.unsaved.get(image)?.points === points;
    try {
      const version = data.versions[image] || "new";
      const sent = { row, image, predictions: data.predictions, version, points: Object.keys(points).length ? points : null };
      data.versions[image] = (await post(`/api/review/${set}/correct`, sent)).version;
      document.body.dataset.saved = String(Number(document.body.dataset.saved || 0) + 1);
      if (isNewest()) this.unsaved.delete(image);
      this.retry();
    } catch (error) {
      sayWrong(error);
      if (isNewest()) this.unsaved.set(image, { row, points, failed: true });
      if (isForGood(error)) await this.takeSaved(row, image);
    }
  }

  // The studio refused a correction, for example because another page saved one meanwhile.
  async takeSaved(row, image) {
    const { checked, versions } = await get(`/api/review/${this.room.set}`);
    this.refusals[image] = (this.refusals[image] || 0) + 1;
    this.room.data.versions[image] = versions[image];
    this.unsaved.delete(image);
    this.room.showSaved(row, checked[image]);
  }
}
