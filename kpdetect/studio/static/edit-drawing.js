// The pictures of the Edit page, drawn one after the other: before, after, and the other picture of an exchange.
import { isForGood } from "./api.js";
import { Drawer } from "./edit-draw.js";
import * as changed from "./edit-state.js";

export class Drawing {
  // room: state, history, picture, record; request(state, edits, quick), changedState(), showPoints(), drawn()
  constructor(room) {
    this.room = room;
    this.points = [];
    this.base = [];
    this.drawn = ""; // the state that was drawn last, as text
    this.drawer = new Drawer((result, wanted, newest) => this.show(result, wanted, newest));
    this.partnerDrawer = new Drawer((result, wanted) => this.showPartner(result, wanted));
  }

  // since: time of the pointer event during a drag, for which a quick picture is enough
  ask(state, { since } = {}) {
    const { picture } = this.room;
    const text = JSON.stringify(state);
    const refused = since ? undefined : (error) => this.refuse(error, text);
    const shown = sampleOf(this.room.request(state, changed.UNCHANGED));
    if (shown !== this.shown) this.waitFor(shown);
    if (!since) this.askPartner(state);
    if (picture.main.before === null && !changed.isUnchanged(state.edits)) {
      this.drawer.ask(this.room.request(state, changed.UNCHANGED), { then: () => this.ask(state, { since }), refused });
      return;
    }
    this.drawer.ask(this.room.request(state, state.edits, Boolean(since)), { since, refused, state: since ? "" : text });
  }

  // Another sample: neither its picture nor its keypoints are known yet.
  waitFor(shown) {
    this.shown = shown;
    this.points = [];
    this.room.picture.main.before = null;
    this.room.picture.main.wait();
  }

  // The other picture of an exchange: first without edits, if that is not known, then with the exchanged parts.
  askPartner(state) {
    const { other } = this.room.picture;
    this.room.picture.showBoth(state.partner !== null);
    if (state.partner === null) {
      this.partnerAsked = this.partnerCode = null;
      return;
    }
    const request = this.partnerRequest(state);
    const asked = JSON.stringify(request);
    if (asked === this.partnerAsked) return;
    this.partnerAsked = asked;
    this.partnerCode = null;
    other.wait();
    const refused = (error) => {
      other.fail();
      if (asked === this.partnerAsked && !isForGood(error)) this.partnerAsked = ""; // ask again with the next picture
    };
    if (sampleOf(request) !== this.partnerSample) other.before = null;
    this.partnerSample = sampleOf(request);
    const edited = () => asked === this.partnerAsked && this.partnerDrawer.ask(request, { refused });
    if (other.before) edited();
    else this.partnerDrawer.ask({ ...request, edits: changed.UNCHANGED }, { then: edited, refused });
  }

  partnerRequest(state) {
    const parts = changed.exchangedParts(state);
    const looks = parts.length ? [{ sample: state.sample, keypoints: parts }] : [];
    return this.room.request({ ...state, sample: state.partner }, { ...changed.UNCHANGED, looks, mix: state.edits.mix });
  }

  // An edit that the generator refuses for good is undone, if the state before it was drawn. After any other fault, for example of
  // a studio that has ended, all edits stay, and the next change draws them.
  refuse(error, refused) {
    const { history, picture, state } = this.room;
    if (!picture.main.after) picture.main.fail();
    this.room.drawn();
    if (!isForGood(error) || JSON.stringify(state) !== refused) return;
    if (!history.past.length || JSON.stringify(history.past.at(-1)) !== this.drawn) return;
    history.undo();
    history.future = [];
    this.room.changedState();
  }

  show(result, wanted, newest) {
    const { main } = this.room.picture;
    if (sampleOf(wanted.request) !== this.shown) return; // another sample has been opened in the meantime
    const plain = changed.isUnchanged(wanted.request.edits) && !wanted.request.quick;
    if (plain) main.before = result.picture;
    if (wanted.then) {
      if (newest) wanted.then();
      return;
    }
    if (wanted.state) this.drawn = wanted.state;
    this.code = result;
    this.base = result.base;
    let copies = 0;
    this.points = result.points.map(({ keypoint, at, copy }) => {
      const id = copy ? `copy-${copies++}-${keypoint}` : String(keypoint);
      return { id, number: keypoint, copy, x: at?.[0], y: at?.[1], gone: at === null };
    });
    main.after = result.picture;
    this.room.picture.paint();
    this.room.showPoints();
    this.room.drawn(wanted.request.edits);
    if (newest) this.showCode();
  }

  showPartner(result, wanted) {
    const { picture } = this.room;
    if (wanted.then) {
      if (sampleOf(wanted.request) !== this.partnerSample || this.partnerAsked === null) return;
      picture.other.before = result.picture;
      return wanted.then();
    }
    if (JSON.stringify(wanted.request) !== this.partnerAsked) return; // this picture belongs to an earlier exchange
    picture.other.after = result.picture;
    this.partnerCode = result;
    picture.paint();
    this.showCode();
  }

  showCode() {
    if (this.code) this.room.record.showCode(this.code, this.room.state.partner === null ? null : this.partnerCode);
  }
}

// The sample that a request draws, without its edits, as text.
function sampleOf({ model, seed, truncation, sample }) {
  return JSON.stringify([model, seed, truncation, sample]);
}
