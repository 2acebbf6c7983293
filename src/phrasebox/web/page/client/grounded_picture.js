// A picture with boxes over it: pointed at, drawn, moved and resized by mouse, touch and keyboard.
// Boxes are pixels of the picture, {id, x1, y1, x2, y2, k: colour, label, name}; the box with id `editing` has handles.
const HANDLES = ["nw", "n", "ne", "e", "se", "s", "sw", "w"];
const LEAST = 6; // pixels on the screen below which a drag is a click
const CHIP = 24;

export default {
  template: `
    <figure class="pic" :class="{ draws, edits: editing !== null, failed }" :style="{ '--ratio': width / height }"
      :aria-busy="!ready && !failed">
      <img v-if="src" :src="src" :alt="alt" draggable="false" ref="img" @load="ready = true; failed = false"
        @error="failed = true">
      <p v-if="failed" class="pic-failed" role="alert">The picture cannot be shown; its file may be missing.</p>
      <svg ref="svg" :viewBox="'0 0 ' + width + ' ' + height" preserveAspectRatio="none" role="group"
        :aria-label="draws ? 'Picture. ' + hint : 'Boxes'" :tabindex="draws ? 0 : null"
        @pointerdown="start($event, 'new')" @keydown="keys">
        <g v-for="b in ordered" :key="b.key ?? b.id" class="box" :class="['k' + b.k, { editing: b.id === editing }]" :data-p="b.id"
          tabindex="0" :role="b.id === editing ? 'application' : 'button'" :aria-label="b.name"
          :aria-roledescription="b.id === editing ? 'movable box' : null"
          @pointerdown.stop="b.id === editing ? start($event, 'move') : start($event, 'new')"
          @click="pick(b)" @keydown.enter.stop="pick(b)" @keydown.space.stop.prevent="pick(b)">
          <path class="shade" fill-rule="evenodd" :d="around(b)"/>
          <rect class="halo" v-bind="rect(b)"/><rect class="edge" v-bind="rect(b)"/>
        </g>
        <rect v-for="r in probes" :key="'r' + r.r" class="probe" :class="r.used ? ['used', 'k' + r.k] : null" :data-r="r.r" v-bind="rect(r)"/>
        <g v-if="fresh" class="box fresh"><path class="shade" fill-rule="evenodd" :d="around(fresh)"/>
          <rect class="halo" v-bind="rect(fresh)"/><rect class="edge" v-bind="rect(fresh)"/></g>
      </svg>
      <span v-for="c in chips" :key="c.key ?? c.id" class="chip" :class="'k' + c.k" :data-p="c.id" :style="c.style"
        aria-hidden="true">{{ c.label }}</span>
      <template v-if="edited">
        <span v-for="h in handles" :key="h" class="handle" :class="h" :style="corner(h)" aria-hidden="true"
          @pointerdown.stop="start($event, h)"></span>
      </template>
    </figure>`,
  props: {
    src: String, alt: String, width: { default: 4 }, height: { default: 3 }, draws: Boolean, lines: { default: true },
    boxes: { type: Array, default: () => [] }, probes: { type: Array, default: () => [] },
    editing: { default: null },
  },
  emits: ["picked", "pointed", "drawn", "changed"],
  data: () => ({ handles: HANDLES, ready: false, failed: false, unit: 1, live: null, fresh: null, drag: null }),
  computed: {
    hint: () => "Enter starts a box, the arrow keys move it, Shift and arrow keys resize it, Enter accepts it, Escape cancels.",
    shown() {
      const step = 6 * this.unit;
      return this.boxes.map((b, i) => {
        if (this.live && b.id === this.editing) return { ...b, ...this.live };
        if (b.id === this.editing) return b;
        // An outline on top of an earlier one moves inwards, so that both are seen.
        const same = this.boxes.slice(0, i).filter((e) => ["x1", "y1", "x2", "y2"].every((s) => Math.abs(b[s] - e[s]) < step));
        const dx = Math.min((same.length + 0.3) * step, (b.x2 - b.x1) / 3) * (same.length ? 1 : 0);
        const dy = Math.min((same.length + 0.3) * step, (b.y2 - b.y1) / 3) * (same.length ? 1 : 0);
        return { ...b, x1: b.x1 + dx, y1: b.y1 + dy, x2: b.x2 - dx, y2: b.y2 - dy };
      });
    },
    edited() {
      return this.editing === null ? null : this.shown.find((b) => b.id === this.editing);
    },
    ordered() {
      const area = (b) => (b.x2 - b.x1) * (b.y2 - b.y1);
      const last = (b) => (b.id === this.editing ? 1 : 0); // what is edited lies on top
      return [...this.shown].sort((a, b) => last(a) - last(b) || area(b) - area(a));
    },
    chips() {
      const taken = [], u = this.unit, size = CHIP * u, gap = 2 * u;
      const free = (x, y) => taken.every((t) => Math.abs(t[0] - x) >= size + gap || Math.abs(t[1] - y) >= size + gap);
      return [...this.ordered].reverse().filter((b) => b.label).map((b) => {
        const right = Math.max(0, this.width - size), bottom = Math.max(0, this.height - size);
        const clamp = (x, y) => [Math.min(Math.max(x, 0), right), Math.min(Math.max(y, 0), bottom)];
        const places = [];
        for (let n = 0; n < 12; n++) for (const y of [b.y1 - size + 2 * u, b.y1, b.y2 - size])
          places.push(clamp(b.x1 + n * (size + gap), y));
        const [x, y] = places.find(([x, y]) => free(x, y)) || places[0];
        taken.push([x, y]);
        return { id: b.id, key: b.key, k: b.k, label: b.label, style: { left: (100 * x) / this.width + "%", top: (100 * y) / this.height + "%" } };
      });
    },
  },
  watch: {
    src() { this.ready = false; this.failed = false; this.drag = this.fresh = null; },
    boxes() { // an answer to an earlier edit does not take back what is being moved or drawn
      if (!this.later && !this.drag) this.live = null;
      if (!this.drag) this.fresh = null;
    },
    editing() { clearTimeout(this.later); this.later = this.drag = this.live = null; },
    draws() { this.drag = this.fresh = null; },
  },
  mounted() {
    if (this.$refs.img?.complete && this.$refs.img.naturalWidth) this.ready = true;
    this.observer = new ResizeObserver(() => {
      const wide = this.$refs.svg?.clientWidth;
      if (wide) this.unit = this.width / wide;
    });
    this.observer.observe(this.$refs.svg);
  },
  unmounted() { this.observer.disconnect(); clearTimeout(this.later); },
  methods: {
    rect: (b) => ({ x: b.x1, y: b.y1, width: Math.max(0, b.x2 - b.x1), height: Math.max(0, b.y2 - b.y1) }),
    around(b) {
      return `M0 0H${this.width}V${this.height}H0ZM${b.x1} ${b.y1}V${b.y2}H${b.x2}V${b.y1}Z`;
    },
    corner(h) {
      const b = this.edited;
      const x = h.includes("w") ? b.x1 : h.includes("e") ? b.x2 : (b.x1 + b.x2) / 2;
      const y = h.includes("n") ? b.y1 : h.includes("s") ? b.y2 : (b.y1 + b.y2) / 2;
      return { left: (100 * x) / this.width + "%", top: (100 * y) / this.height + "%" };
    },
    at(event) {
      const frame = this.$refs.svg.getBoundingClientRect();
      const along = (v, from, size, most) => Math.min(most, Math.max(0, ((v - from) / size) * most));
      return { x: along(event.clientX, frame.left, frame.width, this.width), y: along(event.clientY, frame.top, frame.height, this.height) };
    },
    start(event, kind) {
      if (event.button || (kind === "new" && !this.draws)) return;
      const box = kind === "new" ? null : { ...this.rectOf(this.edited) };
      this.drag = { kind, box, from: this.at(event) };
      this.moved = false;
      const id = event.pointerId;
      const move = (e) => this.drag && e.pointerId === id && this.follow(e);
      const end = (e) => {
        if (e.pointerId !== id) return;
        for (const [type, f] of [["pointermove", move], ["pointerup", end], ["pointercancel", end]]) window.removeEventListener(type, f);
        if (this.drag) this.finish(e);
      };
      for (const [type, f] of [["pointermove", move], ["pointerup", end], ["pointercancel", end]]) window.addEventListener(type, f);
      if (kind !== "new") event.preventDefault();
    },
    rectOf: (b) => ({ x1: b.x1, y1: b.y1, x2: b.x2, y2: b.y2 }),
    follow(event) {
      const { kind, box, from } = this.drag, to = this.at(event);
      if (!this.moved && Math.hypot(to.x - from.x, to.y - from.y) < LEAST * this.unit) return;
      this.moved = true;
      if (kind === "new") {
        this.fresh = { x1: Math.min(from.x, to.x), y1: Math.min(from.y, to.y), x2: Math.max(from.x, to.x), y2: Math.max(from.y, to.y) };
      } else this.live = this.shifted(box, kind, to.x - from.x, to.y - from.y);
    },
    shifted(box, kind, dx, dy) {
      const least = LEAST * this.unit, b = { ...box };
      if (kind === "move") {
        dx = Math.min(Math.max(dx, -b.x1), this.width - b.x2);
        dy = Math.min(Math.max(dy, -b.y1), this.height - b.y2);
        return { x1: b.x1 + dx, y1: b.y1 + dy, x2: b.x2 + dx, y2: b.y2 + dy };
      }
      if (kind.includes("w")) b.x1 = Math.max(0, Math.min(b.x1 + dx, b.x2 - least));
      if (kind.includes("e")) b.x2 = Math.min(this.width, Math.max(b.x2 + dx, b.x1 + least));
      if (kind.includes("n")) b.y1 = Math.max(0, Math.min(b.y1 + dy, b.y2 - least));
      if (kind.includes("s")) b.y2 = Math.min(this.height, Math.max(b.y2 + dy, b.y1 + least));
      return b;
    },
    finish(event) {
      const { kind, from } = this.drag;
      this.drag = null;
      if (event.type === "pointercancel") { this.fresh = this.live = null; return; }
      if (kind === "new") {
        const box = this.fresh, least = LEAST * this.unit;
        if (!this.moved) this.$emit("pointed", from);
        else if (box.x2 - box.x1 >= least && box.y2 - box.y1 >= least) this.$emit("drawn", this.rounded(box));
        else this.fresh = null;
      } else if (this.moved) this.$emit("changed", this.rounded(this.live));
    },
    rounded: (b) => Object.fromEntries(["x1", "y1", "x2", "y2"].map((s) => [s, Math.round(100 * b[s]) / 100])),
    pick(b) {
      if (!this.moved && b.id !== this.editing) this.$emit("picked", b.id);
    },
    // The keyboard: Enter begins a box in the middle, arrows move, with Shift they resize, Enter takes it.
    keys(event) {
      const arrow = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      const own = event.target.closest(".editing");
      if (arrow && (own || this.fresh)) {
        event.preventDefault();
        event.stopPropagation();
        const step = event.altKey ? this.unit : 0.015 * Math.max(this.width, this.height);
        const box = this.rectOf(own ? this.edited : this.fresh);
        const next = this.shifted(box, event.shiftKey ? "se" : "move", arrow[0] * step, arrow[1] * step);
        if (own) {
          this.live = next;
          clearTimeout(this.later);
          this.later = setTimeout(() => {
            this.later = null;
            if (this.live) this.$emit("changed", this.rounded(this.live));
          }, 400);
        } else this.fresh = next;
      } else if (this.draws && event.target === this.$refs.svg && ["Enter", " "].includes(event.key)) {
        event.preventDefault();
        if (this.fresh) this.$emit("drawn", this.rounded(this.fresh));
        else this.fresh = { x1: this.width / 3, y1: this.height / 3, x2: (2 * this.width) / 3, y2: (2 * this.height) / 3 };
      } else if (event.key === "Escape" && this.fresh) {
        event.stopPropagation();
        this.fresh = null;
      }
    },
    beginBox() { this.$refs.svg.focus(); },
  },
};
