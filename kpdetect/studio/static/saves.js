// Saves run one after the other, because a later save needs the version that the save before it returned.
import { sayWrong } from "./api.js";

export class Saves {
  constructor() {
    this.last = Promise.resolve();
  }

  // Runs a save after all earlier ones. A save that fails says so, and the next one still runs.
  add(save) {
    this.last = this.last.then(save).catch(sayWrong);
    return this.last;
  }

  // Waits until no save is left, also of those that are added meanwhile.
  async settled() {
    for (let last = null; last !== this.last; ) {
      last = this.last;
      await last;
    }
  }
}
