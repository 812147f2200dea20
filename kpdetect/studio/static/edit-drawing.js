// The pictures of the Edit page, drawn one after the other: before, after, and the other picture of an exchange.
import { Drawer } from "./edit-draw.js";
import * as changed from "./edit-state.js";

export class Drawing {
  // room: state, history, picture, record; request(state, edits, quick), changedState(), showPoints()
  constructor(room) {
    this.room = room;
    this.points = [];
    this.base = [];
    this.drawer = new Drawer((result, wanted, newest) => this.show(result, wanted, newest));
    this.partnerDrawer = new Drawer((result) => this.showPartner(result));
  }

  // since: time of the pointer event during a drag, for which a quick picture is enough
  ask(state, { since } = {}) {
    const { picture } = this.room;
    const refused = since ? undefined : () => this.takeBack();
    if (picture.before === null && !changed.isUnchanged(state.edits)) {
      this.drawer.ask(this.room.request(state, changed.UNCHANGED), { then: () => this.ask(state, { since }) });
      return;
    }
    this.drawer.ask(this.room.request(state, state.edits, Boolean(since)), { since, refused });
    if (state.partner !== null && !since) this.askPartner(state);
    picture.showBoth(state.partner !== null);
  }

  askPartner(state) {
    const parts = state.edits.looks.filter((look) => look.sample === state.partner).flatMap((look) => look.keypoints);
    const looks = parts.length ? [{ sample: state.sample, keypoints: parts }] : [];
    this.partnerDrawer.ask(this.room.request({ ...state, sample: state.partner }, { ...changed.UNCHANGED, looks, mix: state.edits.mix }));
  }

  // An edit that the generator refuses is undone.
  takeBack() {
    const { history, state } = this.room;
    const refused = JSON.stringify(state);
    if (!history.past.length || this.refused === refused) return;
    this.refused = refused;
    history.undo();
    history.future = [];
    this.room.changedState();
  }

  show(result, wanted, newest) {
    const { picture } = this.room;
    const plain = changed.isUnchanged(wanted.request.edits) && !wanted.request.quick;
    if (plain) picture.before = result.picture;
    if (wanted.then) return wanted.then();
    this.code = result;
    this.base = result.base;
    let copies = 0;
    this.points = result.points.map(({ keypoint, at, copy }) => {
      const id = copy ? `copy-${copies++}-${keypoint}` : String(keypoint);
      return { id, number: keypoint, copy, x: at?.[0], y: at?.[1], gone: at === null };
    });
    picture.paint(result.picture);
    this.room.showPoints();
    if (newest) this.showCode();
  }

  showPartner(result) {
    this.room.picture.showPartner(result.picture);
    this.partnerCode = result;
    this.showCode();
  }

  showCode() {
    if (this.code) this.room.record.showCode(this.code, this.room.state.partner === null ? null : this.partnerCode);
  }
}
